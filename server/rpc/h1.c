/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading of HTTP/1.1; which rule refused what is told by the tests. */
#include "server/rpc/h1.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

size_t h1_head_find(const uint8_t *p, size_t len, unsigned *ret_status)
{
	size_t n = len < LIMIT_HEAD_BYTES ? len : LIMIT_HEAD_BYTES;

	for (size_t i = 0; i < n; i++) {
		bool cr = p[i] == '\r', lf = p[i] == '\n';

		if (p[i] == 0 || (lf && (i == 0 || p[i - 1] != '\r')) ||
		    (cr && i + 1 < n && p[i + 1] != '\n')) {
			*ret_status = 400;
			return 0;
		}
		if (lf && i >= 3 && p[i - 2] == '\n')
			return i + 1;
	}
	if (len >= LIMIT_HEAD_BYTES)
		*ret_status = 431;
	return 0;
}

static bool is_token(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* The next line, cut at its CRLF; NULL at the empty one. */
static char *next_line(char **at)
{
	char *line = *at;
	char *end = strstr(line, "\r\n");

	if (!end || end == line)
		return NULL;
	*end = '\0';
	*at = end + 2;
	return line;
}

bool h1_host_ok(const char *s)
{
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(".-_:[]%", *s))
			return false;
	return true;
}

/*
 * "http://host/path" (RFC 9112 3.2.2): the host moves one to the left, to have room for its NUL.
 * Returns the path; NULL when it is none.
 */
static char *absolute_target(char *target, struct h1_head *ret)
{
	size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
			: strncasecmp(target, "https://", 8) == 0 ? 8
								  : 0;
	char *host = target + scheme, *path;
	size_t len;

	if (!scheme)
		return NULL;
	len = strcspn(host, "/");
	if (len == 0)
		return NULL;
	path = host + len;
	memmove(host - 1, host, len);
	host[len - 1] = '\0';
	ret->target_host = host - 1;
	return *path == '/' && h1_host_ok(ret->target_host) ? path : NULL;
}

static unsigned request_line(char *line, struct h1_head *ret)
{
	char *target, *version, *p = line;

	while (is_token(*p))
		p++;
	if (p == line || p - line > 16 || *p != ' ')
		return 400;
	*p++ = '\0';
	target = p;
	while (*p > 0x20 && *p < 0x7f)
		p++;
	if (*p != ' ')
		return 400;
	*p++ = '\0';
	version = p;
	if (strcmp(version, "HTTP/1.1") == 0)
		ret->minor = 1;
	else if (strcmp(version, "HTTP/1.0") == 0)
		ret->minor = 0;
	else
		return strncmp(version, "HTTP/", 5) == 0 ? 505 : 400;
	if (*target != '/')
		target = absolute_target(target, ret);
	if (!target || strchr(target, '#'))
		return 400;
	ret->method = line;
	ret->path = target;
	p = strchr(target, '?');
	if (p) {
		*p = '\0';
		ret->query = p + 1;
	}
	return 0;
}

static unsigned field_line(char *line, struct header *ret)
{
	char *p = line, *end;

	for (; is_token(*p); p++)
		*p = (char)tolower((unsigned char)*p);
	if (p == line || *p != ':')
		return 400; /* also a folded line and a blank before the colon */
	*p++ = '\0';
	while (*p == ' ' || *p == '\t')
		p++;
	for (end = p; *end; end++)
		if ((unsigned char)*end < 0x20 ? *end != '\t' : *end == 0x7f)
			return 400;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	*ret = (struct header){.name = line, .value = p, .value_len = (size_t)(end - p)};
	return 0;
}

/* Is a word in a comma-separated list? */
static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; *p;) {
		p += strspn(p, ", \t");
		size_t n = strcspn(p, ", \t");

		if (n == len && strncasecmp(p, word, len) == 0)
			return true;
		p += n;
	}
	return false;
}

/* Headers that steer the connection. */
struct seen {
	unsigned hosts, lengths, codings;
};

static unsigned steer(struct h1_head *h, const struct header *f, struct seen *seen)
{
	if (strcmp(f->name, "host") == 0) {
		h->host = f->value;
		return ++seen->hosts > 1 || !h1_host_ok(f->value) ? 400 : 0;
	}
	if (strcmp(f->name, "content-length") == 0) {
		if (++seen->lengths > 1 ||
		    text_parse_u64(f->value, UINT64_MAX >> 1, &h->content_length) < 0)
			return 400;
	} else if (strcmp(f->name, "transfer-encoding") == 0) {
		if (++seen->codings > 1)
			return 400;
		if (strcasecmp(f->value, "chunked") != 0)
			return 501;
		h->chunked = true;
	} else if (strcmp(f->name, "connection") == 0) {
		if (list_has(f->value, "close"))
			h->keep_alive = false;
		else if (h->minor == 0 && list_has(f->value, "keep-alive"))
			h->keep_alive = true;
	} else if (strcmp(f->name, "expect") == 0) {
		if (strcasecmp(f->value, "100-continue") != 0)
			return 417;
		h->expects_continue = h->minor == 1;
	}
	return 0;
}

unsigned h1_head_parse(char *p, size_t len, struct h1_head *ret)
{
	struct seen seen = {0};
	char *at = p, *line;
	unsigned status;

	*ret = (struct h1_head){.host = ""};
	if (len < 4 || memchr(p, 0, len))
		return 400;
	p[len - 1] = '\0'; /* ends "\r\n\r": next_line needs "\r\n" before it only */
	p[len - 2] = '\0';
	line = next_line(&at);
	if (!line)
		return 400;
	status = request_line(line, ret);
	if (status)
		return status;
	ret->keep_alive = ret->minor == 1;
	while (*at && (line = next_line(&at))) {
		if (ret->n_headers == LIMIT_FIELDS)
			return 431;
		struct header *f = &ret->headers[ret->n_headers++];

		status = field_line(line, f);
		if (!status)
			status = steer(ret, f, &seen);
		if (status)
			return status;
	}
	if (ret->minor == 1 && seen.hosts != 1)
		return 400;
	if (ret->target_host && seen.hosts && strcasecmp(ret->target_host, ret->host) != 0)
		return 400;
	if (ret->target_host)
		ret->host = ret->target_host;
	if (ret->chunked && (seen.lengths || ret->minor == 0))
		return 400;
	return 0;
}

enum { CHUNK_SIZE, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_CR, CHUNK_LF, CHUNK_LAST_CR, CHUNK_LAST_LF };

static int hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int size_byte(struct h1_chunks *s, uint8_t c)
{
	int digit = hex_of(c);

	if (digit >= 0 && s->digits < 8) {
		s->left = s->left << 4 | (unsigned)digit;
		s->digits++;
		return 0;
	}
	if (c != '\r' || s->digits == 0)
		return -EPROTO; /* extensions too: nobody sends them but smugglers */
	s->phase = CHUNK_SIZE_LF;
	return 0;
}

/* One byte of framing; -EPROTO unless it is the one expected. */
static int frame_byte(struct h1_chunks *s, uint8_t c, bool *ret_done)
{
	static const struct {
		uint8_t want, next;
	} steps[] = {
		[CHUNK_CR] = {'\r', CHUNK_LF},
		[CHUNK_LF] = {'\n', CHUNK_SIZE},
		[CHUNK_LAST_CR] = {'\r', CHUNK_LAST_LF},
	};

	switch (s->phase) {
	case CHUNK_SIZE:
		return size_byte(s, c);
	case CHUNK_SIZE_LF:
		s->digits = 0;
		s->phase = s->left ? CHUNK_DATA : CHUNK_LAST_CR;
		return c == '\n' ? 0 : -EPROTO;
	case CHUNK_LAST_LF:
		*ret_done = true;
		return c == '\n' ? 0 : -EPROTO;
	default:
		if (c != steps[s->phase].want)
			return -EPROTO;
		s->phase = steps[s->phase].next;
		return 0;
	}
}

ssize_t h1_chunks_eat(struct h1_chunks *s, const uint8_t *p, size_t len, const uint8_t **ret_p,
		      size_t *ret_len, bool *ret_done)
{
	size_t i = 0;

	*ret_len = 0;
	while (i < len && !*ret_done) {
		if (s->phase == CHUNK_DATA) {
			size_t n = len - i < s->left ? len - i : (size_t)s->left;

			*ret_p = p + i;
			*ret_len = n;
			s->left -= n;
			if (s->left == 0)
				s->phase = CHUNK_CR;
			return (ssize_t)(i + n);
		}
		if (frame_byte(s, p[i++], ret_done) < 0)
			return -EPROTO;
	}
	return (ssize_t)i;
}

const char *h1_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} reasons[] = {
		{200, "OK"},
		{201, "Created"},
		{204, "No Content"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{303, "See Other"},
		{304, "Not Modified"},
		{307, "Temporary Redirect"},
		{308, "Permanent Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{421, "Misdirected Request"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{499, "Client Closed Request"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "";
}
