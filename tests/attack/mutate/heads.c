/* SPDX-License-Identifier: Apache-2.0 */
/* A grammar of oddities: request line, fields, line ends, lengths, chunks, what follows. */
#include "tests/attack/mutate/heads.h"

#include <string.h>

struct style {
	bool twist; /* line ends and spaces too */
	bool twist_chunks;
	bool chunked;
};

static void put_eol(struct octets *out, struct dice *d, const struct style *s)
{
	static const char *const odd[] = {"\n", "\r", "\r\r\n", "\n\r", " \r\n", "\r\n\t", "\r\n "};

	octets_text(out, s->twist && dice_chance(d, 6) ? dice_pick(d, odd) : "\r\n");
}

static void put_line(struct octets *out, struct dice *d, const struct asking *a,
		     const struct style *s)
{
	static const char *const versions[] = {"HTTP/1.0", "HTTP/1.2", "HTTP/0.9",  "HTTP/2.0",
					       "HTTP/3",   "http/1.1", "HTTP/1.1 ", "HTTP/11",
					       "",         "HTTP/1.",  "HTTP/1.1x", "HTTP/01.1",
					       "ICY/1.1",  "HTTP/1.10"};
	static const char *const forms[] = {"http://localhost", "https://localhost:1", "http://",
					    "//localhost", "ftp://x"};
	static const char *const gaps[] = {"  ", "\t", "", "\x0b", "\xa0"};
	const char *gap = s->twist && dice_chance(d, 5) ? dice_pick(d, gaps) : " ";

	if (s->twist && dice_chance(d, 5))
		octets_text(out, "\r\n");
	octets_text(out, a->verb);
	octets_text(out, gap);
	if (s->twist && dice_chance(d, 8))
		octets_text(out, dice_pick(d, forms));
	octets_add(out, a->path.p, a->path.len);
	octets_text(out, gap);
	octets_text(out, s->twist && dice_chance(d, 10) ? dice_pick(d, versions) : "HTTP/1.1");
	put_eol(out, d, s);
}

static void put_field(struct octets *out, struct dice *d, const struct style *s, const char *name,
		      const char *value)
{
	static const char *const colons[] = {" : ", ":", " :", ":\t ", "", ":\x0b"};

	octets_text(out, name);
	octets_text(out, s->twist && dice_chance(d, 5) ? dice_pick(d, colons) : ": ");
	octets_text(out, value);
	put_eol(out, d, s);
}

static void put_lengths(struct octets *out, struct dice *d, const struct asking *a,
			const struct style *s)
{
	static const size_t slips[] = {0, 0, 1, 2, 100, (size_t)-1, (size_t)-2};
	static const char *const codings[] = {"chunked",     "Chunked",       "chunked ",
					      "identity",    "gzip, chunked", "chunked, identity",
					      "chunked\x0b", ", chunked",     "chunked;x=1"};
	char number[32];

	if (s->chunked || (s->twist && dice_chance(d, 10)))
		put_field(out, d, s, "transfer-encoding",
			  s->twist && dice_chance(d, 20) ? dice_pick(d, codings) : "chunked");
	if (s->chunked ? s->twist && dice_chance(d, 20) : a->body.len || dice_chance(d, 20)) {
		snprintf(number, sizeof(number), "%zu",
			 a->body.len + (s->twist && dice_chance(d, 30) ? dice_pick(d, slips) : 0));
		put_field(out, d, s, "content-length", number);
		if (s->twist && dice_chance(d, 5))
			put_field(out, d, s, "Content-Length", number);
	}
}

static void put_fields(struct octets *out, struct dice *d, const struct asking *a,
		       const struct style *s)
{
	size_t n_hosts = s->twist && dice_chance(d, 10) ? dice_below(d, 3) : 1;

	for (size_t i = 0; i < n_hosts; i++) {
		octets_text(out, "Host: ");
		octets_add(out, a->authority.p, a->authority.len);
		put_eol(out, d, s);
	}
	for (size_t i = 0; i < a->n_fields; i++) {
		const struct asking_field *f = &a->fields[i];

		octets_add(out, a->text.p + f->name, f->name_len);
		octets_text(out, ": ");
		octets_add(out, a->text.p + f->value, f->value_len);
		put_eol(out, d, s);
	}
	if (s->twist && dice_chance(d, 3))
		octets_text(out, "no colon here\r\n");
	put_lengths(out, d, a, s);
}

static void put_chunk_size(struct octets *out, struct dice *d, size_t n, bool twist)
{
	static const char *const wild[] = {"ffffffffffffffff",
					   "10000000000000000",
					   "-1",
					   "+5",
					   "0x5",
					   " 5",
					   "5 ",
					   "",
					   "g",
					   "5,5",
					   "05",
					   "000000000000000005"};
	static const char *const extensions[] = {";a",  ";a=b",  ";a=\"\r\n\"", ";",
						 " ;x", ";\xff", ";a=b;c=d",    ";\n"};
	char size[32];

	snprintf(size, sizeof(size), twist && dice_chance(d, 20) ? "%zX" : "%zx", n);
	octets_text(out, twist && dice_chance(d, 10) ? dice_pick(d, wild) : size);
	if (dice_chance(d, twist ? 15 : 3)) {
		octets_text(out, dice_pick(d, extensions));
		if (twist && dice_chance(d, 20))
			octets_fill(out, 'x', dice_below(d, 30000));
	}
	octets_text(out, twist && dice_chance(d, 5) ? "\n" : "\r\n");
}

static void put_chunks(struct octets *out, struct dice *d, const struct octets *body, bool twist)
{
	static const char *const trailers[] = {"x: y\r\n",
					       "content-length: 5\r\n",
					       "transfer-encoding: chunked\r\n",
					       "bad\r\n",
					       " folded\r\n",
					       "x:\xff\r\n",
					       "grpc-status: 0\r\n",
					       "host: a\r\n"};
	size_t at = 0;

	while (at < body->len) {
		size_t n = dice_below(d, body->len - at) + 1;

		if (dice_chance(d, 50))
			n = body->len - at;
		put_chunk_size(out, d, n, twist);
		octets_add(out, body->p + at, n);
		octets_text(out, twist && dice_chance(d, 5) ? "\n" : "\r\n");
		at += n;
	}
	if (twist && dice_chance(d, 5))
		return;
	octets_text(out, twist && dice_chance(d, 10) ? "000000\r\n" : "0\r\n");
	for (size_t i = dice_chance(d, twist ? 30 : 3) ? dice_below(d, 3) + 1 : 0; i; i--)
		octets_text(out, dice_pick(d, trailers));
	if (twist && dice_chance(d, 3))
		octets_fill(out, 'x', 20000);
	octets_text(out, "\r\n");
}

static void put_request(struct octets *out, struct dice *d, const struct seeds *seeds)
{
	_cleanup_(asking_done) struct asking a = {0};
	size_t kind = dice_below(d, 100);
	struct style s = {.chunked = dice_chance(d, 25)};

	s.twist = kind < 45 || kind >= 90;
	s.twist_chunks = s.chunked && (s.twist || dice_chance(d, 30));
	asking_make(&a, d, seeds, (kind >= 45 && kind < 65) || kind >= 95, kind >= 65 && kind < 95);
	put_line(out, d, &a, &s);
	put_fields(out, d, &a, &s);
	put_eol(out, d, &s);
	if (s.chunked)
		put_chunks(out, d, &a.body, s.twist_chunks);
	else
		octets_add(out, a.body.p, a.body.len);
}

size_t heads_make(struct octets *out, struct dice *d, const struct seeds *seeds)
{
	static const char *const strays[] = {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
					     "GET\r\n\r\n",
					     "\r\n\r\n\r\n",
					     "PRI * HTTP/2.0\r\n\r\n",
					     "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX",
					     "GET / HTTP/1.1",
					     "\x80\x2e\x01",
					     "{}"};
	size_t n = dice_chance(d, 75) ? 1 : dice_below(d, 4) + 1;

	for (size_t i = 0; i < n; i++)
		put_request(out, d, seeds);
	if (dice_chance(d, 3))
		octets_insert(out, 0, strays[0], strlen(strays[0]));
	if (dice_chance(d, 3)) {
		const char *stray = dice_pick(d, strays);

		if (dice_chance(d, 50))
			out->len = 0;
		octets_add(out, stray, strlen(stray));
	}
	for (size_t i = dice_chance(d, 12) ? dice_below(d, 4) + 1 : 0; i; i--)
		octets_shake(out, d);
	return n;
}
