/* SPDX-License-Identifier: Apache-2.0 */
/* Which protocol, which fields, and what is wrong with them. */
#include "tests/attack/mutate/asking.h"

#include <string.h>

#include "tests/attack/mutate/payload.h"

static void field_bytes(struct asking *a, const char *name, size_t name_len, const void *value,
			size_t len)
{
	struct asking_field *f = &a->fields[a->n_fields];

	if (a->n_fields == ASKING_MAX_FIELDS)
		return;
	a->n_fields++;
	*f = (struct asking_field){.name = a->text.len, .name_len = name_len};
	octets_add(&a->text, name, name_len);
	f->value = a->text.len;
	f->value_len = len;
	octets_add(&a->text, value, len);
	if (a->text.len < f->value + len)
		a->n_fields--;
}

void asking_field_add(struct asking *a, const char *name, const void *value, size_t len)
{
	field_bytes(a, name, strlen(name), value, len);
}

static void field(struct asking *a, const char *name, const char *value)
{
	field_bytes(a, name, strlen(name), value, strlen(value));
}

/* --- what is wrong with a head --- */

struct odd {
	const char *name;
	const char *value;
};

static const struct odd odd_fields[] = {
	{"grpc-timeout", "1n"},
	{"grpc-timeout", "0m"},
	{"grpc-timeout", "99999999H"},
	{"grpc-timeout", "100000000S"},
	{"grpc-timeout", "-1S"},
	{"grpc-timeout", "1"},
	{"grpc-timeout", "S"},
	{"grpc-timeout", " 1S"},
	{"grpc-timeout", "1s"},
	{"grpc-timeout", ""},
	{"grpc-timeout", "18446744073709551616S"},
	{"grpc-timeout", "1m"},
	{"grpc-timeout", "1u1u"},
	{"connect-timeout-ms", "1"},
	{"connect-timeout-ms", "99999999999"},
	{"connect-timeout-ms", "-5"},
	{"connect-timeout-ms", "0"},
	{"connect-timeout-ms", "1e3"},
	{"connect-protocol-version", "2"},
	{"connect-protocol-version", ""},
	{"content-type", "application/grpc+json"},
	{"content-type", "application/grpc;x=y"},
	{"content-type", "application/grpcfoo"},
	{"content-type", "APPLICATION/GRPC"},
	{"content-type", "text/plain"},
	{"content-type", ""},
	{"content-type", "application/json; charset=utf-16"},
	{"content-type", "application/connect+proto"},
	{"content-type", "application/grpc-web+thrift"},
	{"content-type", "application/json;charset"},
	{"grpc-encoding", "deflate"},
	{"grpc-encoding", "gzip"},
	{"grpc-encoding", "gzip,gzip"},
	{"grpc-encoding", ""},
	{"grpc-accept-encoding", ",,, ,gzip;q=0"},
	{"content-encoding", "br"},
	{"content-encoding", "gzip"},
	{"content-encoding", "gzip, gzip"},
	{"connect-content-encoding", "gzip"},
	{"connect-content-encoding", "snappy"},
	{"connect-accept-encoding", "gzip;q=1.0,identity;q=x"},
	{"accept-encoding", "gzip;q=\"\",*"},
	{"accept", "application/json;q=x, */*;q=2"},
	{"x-thing-bin", "AAA,BBB"},
	{"x-thing-bin", "===="},
	{"x-thing-bin", "A"},
	{"x-thing-bin", "AA=A"},
	{"x-thing-bin", "_-_-"},
	{"x-thing-bin", ""},
	{"x-thing-bin", ",,,,"},
	{"grpc-tags-bin", "\xff\xfe"},
	{"grpc-status-details-bin", "CgA"},
	{"grpc-message", "%zz%"},
	{"grpc-status", "0"},
	{"content-length", "0"},
	{"content-length", "1"},
	{"content-length", "+1"},
	{"content-length", "-1"},
	{"content-length", "0000000000000000000000000000000007"},
	{"content-length", "18446744073709551616"},
	{"content-length", "18446744073709551615"},
	{"content-length", "99999999"},
	{"content-length", "1, 1"},
	{"content-length", "0x10"},
	{"content-length", ""},
	{"transfer-encoding", "chunked"},
	{"transfer-encoding", "gzip, chunked"},
	{"transfer-encoding", "identity"},
	{"transfer-encoding", "chunked, chunked"},
	{"transfer-encoding", "\tchunked"},
	{"transfer-encoding", "xchunked"},
	{"connection", "close"},
	{"connection", "upgrade, http2-settings"},
	{"connection", "keep-alive, close, te"},
	{"upgrade", "h2c"},
	{"upgrade", "websocket"},
	{"http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA"},
	{"te", "gzip"},
	{"te", "trailers, deflate"},
	{"trailer", "content-length"},
	{"expect", "100-continue"},
	{"expect", "200-ok"},
	{"host", "localhost"},
	{"host", "evil.example"},
	{"host", "a b"},
	{"host", ""},
	{"origin", "http://evil.example"},
	{"origin", "null"},
	{"origin", "http://localhost:99999999"},
	{"cookie", "qmesh-1=x; =; ;;;a"},
	{"cookie", "qmesh-7480=\"x\"; qmesh-7480=y"},
	{"sec-fetch-site", "cross-site"},
	{"access-control-request-method", "POST"},
	{"access-control-request-headers", ",,x-y,\xff"},
	{"authorization", "Bearer"},
	{"authorization", "Bearer  x"},
	{"authorization", "Bearer a.b.c"},
	{"authorization", "Basic Og=="},
	{"x-qmesh-user", "x"},
	{"x-qmesh-client-addr", "999.1.1.1"},
	{"x-request-id", "a b\xff"},
	{"if-none-match", "*"},
	{"last-event-id", "18446744073709551616"},
	{"last-event-id", "-1"},
	{"range", "bytes=0-18446744073709551615"},
	{"user-agent", "%n%s%n"},
	{"x-http-method-override", "DELETE"},
	{"idempotency-key", ""},
	{":path", "/late"},
	{":status", "200"},
	{":protocol", "websocket"},
	{":method", "GET"},
	{":authority", "two"},
	{"", "nameless"},
	{"Upper-Case", "x"},
	{"with space", "x"},
	{"with:colon", "x"},
	{"tab\there", "x"},
	{"line\nbreak", "x"},
	{"\xc3\xa9", "x"},
	{"x-value", "a\r\nx-injected: 1"},
	{"x-value", "a\nb"},
	{"x-value", "a\rb"},
	{"x-value", " padded \t "},
	{"x-value", "\xff\xfe\xfd"},
	{"x-value", "\x7f\x01"},
};

static void odd_size(struct asking *a, struct dice *d)
{
	static const size_t sizes[] = {1000, 4096, 8000, 16384, 20000, 70000};
	size_t size = dice_pick(d, sizes);
	struct octets o = {0};

	octets_fill(&o, dice_chance(d, 90) ? 'a' : 0, size);
	switch (dice_below(d, 4)) {
	case 0:
		field_bytes(a, (const char *)o.p, size, "x", 1);
		break;
	case 1:
		field_bytes(a, "x-long", 6, o.p, size);
		break;
	case 2:
		octets_add(&a->path, o.p, size);
		break;
	default: /* many small ones */
		for (size_t i = dice_below(d, 2) ? 60 : 300; i; i--)
			field(a, dice_chance(d, 50) ? "x-many" : "cookie", "a=b");
	}
	octets_done(&o);
}

static void odd_path(struct asking *a, struct dice *d)
{
	static const char *const tails[] = {
		"?x=%zz", "%00",      "/",           "//..//", "?",
		"#x",     "?a=b&a=c", "\xff",        " x",     "?page_size=99999999999",
		";x",     "%2e%2e",   "?wait=5s&&&", "?=&=&",  "?message=%"};
	static const char *const heads[] = {"*", "http://localhost", "", "/../", "//", "x"};
	const char *head = dice_pick(d, heads);

	switch (dice_below(d, 5)) {
	case 0:
		octets_insert(&a->path, 0, head, strlen(head));
		break;
	case 1:
		octets_shake(&a->path, d);
		break;
	case 2:
		a->path.len = 0;
		octets_text(&a->path, head);
		break;
	default:
		octets_text(&a->path, dice_pick(d, tails));
	}
}

static void odd_value(struct asking *a, struct dice *d)
{
	struct asking_field *f = &a->fields[dice_below(d, a->n_fields)];
	struct octets copy = {0};

	if (a->n_fields == 0)
		return;
	switch (dice_below(d, 4)) {
	case 0: /* twice */
		octets_add(&copy, a->text.p + f->name, f->name_len);
		octets_add(&copy, a->text.p + f->value, f->value_len);
		field_bytes(a, (char *)copy.p, f->name_len, copy.p + f->name_len, f->value_len);
		octets_done(&copy);
		break;
	case 1:
		f->value_len = dice_below(d, f->value_len);
		break;
	case 2: /* gone */
		*f = a->fields[--a->n_fields];
		break;
	default:
		if (f->value_len)
			a->text.p[f->value + dice_below(d, f->value_len)] = (uint8_t)dice_roll(d);
	}
}

static void twist(struct asking *a, struct dice *d)
{
	static const char *const verbs[] = {"GET",    "PUT", "CONNECT",     "OPTIONS", "HEAD",
					    "TRACE",  "",    "P\xc3\xb6st", "post",    "PATCH",
					    "DELETE", "PRI", "QUERY"};
	static const char *const hosts[] = {"",     "evil.example", "localhost:0",        "a@b",
					    "[::1", "a b",          "localhost,localhost"};

	for (size_t i = dice_below(d, 3) + 1; i; i--) {
		size_t pick = dice_below(d, 100);

		if (pick < 60) {
			const struct odd *odd = &dice_pick(d, odd_fields);

			field(a, odd->name, odd->value);
		} else if (pick < 75) {
			odd_value(a, d);
		} else if (pick < 85) {
			odd_path(a, d);
		} else if (pick < 90) {
			odd_size(a, d);
		} else if (pick < 95) {
			snprintf(a->verb, sizeof(a->verb), "%s", dice_pick(d, verbs));
		} else {
			a->authority.len = 0;
			octets_text(&a->authority, dice_pick(d, hosts));
		}
	}
}

/* --- right requests --- */

static void percent(struct octets *out, const struct octets *in)
{
	for (size_t i = 0; i < in->len; i++) {
		char code[4];

		snprintf(code, sizeof(code), "%%%02X", in->p[i]);
		octets_text(out, code);
	}
}

static void make_get(struct asking *a, struct dice *d, const struct seed *seed, bool twist_body)
{
	struct payload_wish wish = {
		.json = dice_chance(d, 50), .gzip = dice_chance(d, 20), .twist = twist_body};
	bool base64 = wish.gzip || dice_chance(d, 60);
	struct octets message = {0}, text = {0};

	payload_make(&message, d, seed, &wish);
	if (message.len > 4000)
		message.len = 4000;
	octets_text(&a->path, wish.json ? "?connect=v1&encoding=json&message="
					: "?connect=v1&encoding=proto&message=");
	if (base64)
		payload_base64(&text, d, &message, twist_body);
	else
		octets_swap(&text, &message);
	percent(&a->path, &text);
	octets_text(&a->path, base64 ? "&base64=1" : "");
	octets_text(&a->path, wish.gzip ? "&compression=gzip" : "");
	snprintf(a->verb, sizeof(a->verb), "GET");
	octets_done(&message);
	octets_done(&text);
}

static void make_call(struct asking *a, struct dice *d, const struct seed *seed, bool twist_body)
{
	struct payload_wish wish = {
		.twist = twist_body,
		.gzip = dice_chance(d, 20),
		.many = strcmp(seed->how, "client") == 0,
	};

	switch (a->protocol) {
	case ASKING_GRPC:
		wish.enveloped = true;
		field(a, "content-type",
		      dice_chance(d, 70) ? "application/grpc" : "application/grpc+proto");
		field(a, "te", "trailers");
		if (wish.gzip || dice_chance(d, 10))
			field(a, "grpc-encoding", "gzip");
		if (dice_chance(d, 30))
			field(a, "grpc-accept-encoding", "identity,gzip");
		if (dice_chance(d, 30))
			field(a, "grpc-timeout", dice_chance(d, 90) ? "5S" : "1m");
		break;
	case ASKING_WEB:
	case ASKING_WEB_TEXT:
		wish.enveloped = true;
		wish.text = a->protocol == ASKING_WEB_TEXT;
		field(a, "content-type",
		      wish.text ? "application/grpc-web-text" : "application/grpc-web+proto");
		field(a, "x-grpc-web", "1");
		if (wish.gzip)
			field(a, "grpc-encoding", "gzip");
		break;
	case ASKING_CONNECT:
		wish.json = dice_chance(d, 50);
		field(a, "content-type", wish.json ? "application/json" : "application/proto");
		field(a, "connect-protocol-version", "1");
		if (wish.gzip)
			field(a, "content-encoding", "gzip");
		break;
	case ASKING_CONNECT_STREAM:
		wish.enveloped = true;
		wish.json = dice_chance(d, 50);
		field(a, "content-type",
		      wish.json ? "application/connect+json" : "application/connect+proto");
		if (wish.gzip)
			field(a, "connect-content-encoding", "gzip");
		break;
	default:
		break;
	}
	payload_make(&a->body, d, seed, &wish);
}

static void make_rest(struct asking *a, struct dice *d, const struct seed *seed, bool twist_body)
{
	const struct payload_wish wish = {.json = true, .twist = twist_body};

	snprintf(a->verb, sizeof(a->verb), "%.20s", seed->how);
	if (seed->json[0]) {
		field(a, "content-type", "application/json");
		payload_make(&a->body, d, seed, &wish);
	} else if (twist_body && dice_chance(d, 50)) {
		octets_noise(&a->body, d, dice_below(d, 100));
	}
	if (dice_chance(d, 30))
		field(a, "accept", dice_chance(d, 80) ? "application/json" : "text/event-stream");
}

void asking_make(struct asking *a, struct dice *d, const struct seeds *seeds, bool twist_head,
		 bool twist_body)
{
	const struct seed *seed = &seeds->all[dice_below(d, seeds->n)];

	snprintf(a->verb, sizeof(a->verb), "POST");
	octets_text(&a->path, seed->path);
	octets_text(&a->authority, "localhost");
	if (seed->rest)
		a->protocol = ASKING_REST;
	else if (strcmp(seed->how, "unary") != 0 && dice_chance(d, 50))
		a->protocol = dice_chance(d, 50) ? ASKING_CONNECT_STREAM : ASKING_GRPC;
	else
		a->protocol = dice_chance(d, 45) ? ASKING_GRPC
						 : (enum asking_protocol)dice_below(d, ASKING_REST);
	if (a->protocol == ASKING_REST)
		make_rest(a, d, seed, twist_body);
	else if (a->protocol == ASKING_CONNECT_GET)
		make_get(a, d, seed, twist_body);
	else
		make_call(a, d, seed, twist_body);
	if (seed->auth[0])
		field(a, "authorization", seed->auth);
	if (twist_head)
		twist(a, d);
}

void asking_done(struct asking *a)
{
	octets_done(&a->path);
	octets_done(&a->authority);
	octets_done(&a->body);
	octets_done(&a->text);
}
