/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits that shape this file: the length of the nest of peers is 16 bits wide
 * and libmnl lets it wrap without a word, so a message ends well before; a
 * peer with more prefixes than fit goes on in the next message; the kernel
 * sizes the messages of a dump by the largest buffer its socket received with.
 * Buffers are wiped: they hold keys.
 */
#include "server/wg/wgnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"

#define BUFFER_LEN 32768
/* Room for all of a peer but its prefixes, and for one prefix of it. */
#define PEER_MAX_LEN 200
#define PREFIX_MAX_LEN 48
#define DUMP_TRIES 20

/* A request under way: its socket and the buffer that it is written in and answered into. */
struct talk {
	struct mnl_socket *socket;
	struct nlmsghdr *nlh;
	uint32_t seq;
	char buf[BUFFER_LEN];
};

static void talk_done(struct talk *t)
{
	if (t->socket)
		mnl_socket_close(t->socket);
	key_wipe_bytes(t->buf, sizeof(t->buf));
}

static int talk_open(struct talk *t)
{
	int on = 1;

	t->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!t->socket || mnl_socket_bind(t->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_origin(-errno);
	/* Else an error answer repeats the whole request. */
	mnl_socket_setsockopt(t->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

static void start(struct talk *t, uint16_t type, uint16_t flags, uint8_t command)
{
	struct genlmsghdr *genl;

	t->nlh = mnl_nlmsg_put_header(t->buf);
	t->nlh->nlmsg_type = type;
	t->nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	t->nlh->nlmsg_seq = ++t->seq;
	genl = mnl_nlmsg_put_extra_header(t->nlh, sizeof(*genl));
	genl->cmd = command;
	genl->version = 1;
}

/* What an answer can be but data. */
enum { MORE, LAST };

/* One message of an answer: MORE, LAST or an error; *interrupted is only ever raised. */
static int take_message(const struct talk *t, const struct nlmsghdr *nlh, mnl_cb_t on_data,
			void *arg, bool *interrupted)
{
	int error = 0;

	if (nlh->nlmsg_seq != t->seq || nlh->nlmsg_pid != mnl_socket_get_portid(t->socket))
		return MORE;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		*interrupted = true;
	if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE) {
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
			memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
		return error < 0 ? error : LAST;
	}
	if (nlh->nlmsg_type < NLMSG_MIN_TYPE || !on_data)
		return MORE;
	return on_data(nlh, arg) == MNL_CB_ERROR ? -errno : MORE;
}

/* Sends what start began and reads the answer to its end. -EINTR: a dump that a change cut. */
static int finish(struct talk *t, mnl_cb_t on_data, void *arg)
{
	bool interrupted = false;
	int r = MORE;

	if (mnl_socket_sendto(t->socket, t->nlh, t->nlh->nlmsg_len) < 0)
		return err_origin(-errno);
	while (r == MORE) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)t->buf;
		ssize_t n = mnl_socket_recvfrom(t->socket, t->buf, sizeof(t->buf));
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_origin(-errno);
		for (; r == MORE && mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			r = take_message(t, nlh, on_data, arg, &interrupted);
	}
	if (r < 0)
		return r;
	return interrupted ? -EINTR : 0;
}

static int on_family(const struct nlmsghdr *nlh, void *arg)
{
	uint16_t *family = arg;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			*family = mnl_attr_get_u16(attr);
	}
	return MNL_CB_OK;
}

int wgnl_family(uint16_t *ret_family)
{
	_cleanup_(talk_done) struct talk t = {.socket = NULL};
	uint16_t family = 0;
	int r;

	r = talk_open(&t);
	if (r)
		return r;
	start(&t, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(t.nlh, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
	r = finish(&t, on_family, &family);
	if (!r && !family)
		r = -ENOENT;
	if (r)
		return r;
	*ret_family = family;
	return 0;
}

/* --- reading --- */

static struct key read_key(const struct nlattr *attr)
{
	struct key k = {{0}};

	if (mnl_attr_get_payload_len(attr) == KEY_LEN)
		memcpy(k.b, mnl_attr_get_payload(attr), KEY_LEN);
	return k;
}

static uint64_t read_u64(const struct nlattr *attr)
{
	uint64_t value = 0;

	if (mnl_attr_get_payload_len(attr) == sizeof(value))
		memcpy(&value, mnl_attr_get_payload(attr), sizeof(value));
	return value;
}

static void read_endpoint(const struct nlattr *attr, struct wg_endpoint *e)
{
	const void *p = mnl_attr_get_payload(attr);
	size_t len = mnl_attr_get_payload_len(attr);
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	if (len == sizeof(in4)) {
		memcpy(&in4, p, sizeof(in4));
		*e = (struct wg_endpoint){.family = CIDR_V4, .port = ntohs(in4.sin_port)};
		memcpy(e->addr, &in4.sin_addr, 4);
	} else if (len == sizeof(in6)) {
		memcpy(&in6, p, sizeof(in6));
		*e = (struct wg_endpoint){.family = CIDR_V6, .port = ntohs(in6.sin6_port)};
		memcpy(e->addr, &in6.sin6_addr, 16);
		/* A scoped address is none that we would set: unknown. */
		if (IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr))
			*e = (struct wg_endpoint){0};
	}
}

static void read_handshake(const struct nlattr *attr, int64_t *ret_ms)
{
	int64_t time[2];

	if (mnl_attr_get_payload_len(attr) != sizeof(time))
		return;
	memcpy(time, mnl_attr_get_payload(attr), sizeof(time));
	*ret_ms = time[0] * 1000 + time[1] / 1000000;
}

static int read_prefix(const struct nlattr *nest, struct wg_list *l)
{
	const struct nlattr *attr;
	struct cidr prefix = {0};
	size_t len;

	mnl_attr_for_each_nested(attr, nest)
	{
		switch (mnl_attr_get_type(attr)) {
		case WGALLOWEDIP_A_IPADDR:
			len = mnl_attr_get_payload_len(attr);
			if (len != 4 && len != 16)
				return -EBADMSG;
			prefix.family = len == 4 ? CIDR_V4 : CIDR_V6;
			memcpy(prefix.addr, mnl_attr_get_payload(attr), len);
			break;
		case WGALLOWEDIP_A_CIDR_MASK:
			prefix.bits = mnl_attr_get_u8(attr);
			break;
		}
	}
	return prefix.family ? wglist_add_prefix(l, &prefix) : -EBADMSG;
}

static int read_prefixes(const struct nlattr *nest, struct wg_list *l)
{
	const struct nlattr *attr;
	int r = 0;

	mnl_attr_for_each_nested(attr, nest)
	{
		r = read_prefix(attr, l);
		if (r)
			break;
	}
	return r;
}

static void read_peer_attr(const struct nlattr *attr, struct wg_peer *p)
{
	switch (mnl_attr_get_type(attr)) {
	case WGPEER_A_PRESHARED_KEY:
		p->psk = read_key(attr);
		break;
	case WGPEER_A_ENDPOINT:
		read_endpoint(attr, &p->endpoint);
		break;
	case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
		p->keepalive_s = mnl_attr_get_u16(attr);
		break;
	case WGPEER_A_LAST_HANDSHAKE_TIME:
		read_handshake(attr, &p->handshake_ms);
		break;
	case WGPEER_A_RX_BYTES:
		p->rx_bytes = read_u64(attr);
		break;
	case WGPEER_A_TX_BYTES:
		p->tx_bytes = read_u64(attr);
		break;
	}
}

/* A peer that a message had no room for goes on in the next one, under the same key. */
static int read_peer(const struct nlattr *nest, struct wg_list *l)
{
	const struct nlattr *attr, *prefixes = NULL;
	struct wg_peer *p = l->n_peers ? &l->peers[l->n_peers - 1] : NULL;
	struct key public_key = {{0}};

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == WGPEER_A_PUBLIC_KEY)
			public_key = read_key(attr);
	}
	if (!p || !key_equal(&p->public_key, &public_key))
		p = wglist_add_peer(l, &public_key);
	if (!p)
		return -ENOMEM;
	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == WGPEER_A_ALLOWEDIPS)
			prefixes = attr;
		else
			read_peer_attr(attr, p);
	}
	return prefixes ? read_prefixes(prefixes, l) : 0;
}

static int read_peers(const struct nlattr *nest, struct wg_list *l)
{
	const struct nlattr *attr;
	int r = 0;

	mnl_attr_for_each_nested(attr, nest)
	{
		r = read_peer(attr, l);
		if (r)
			break;
	}
	return r;
}

static int on_device(const struct nlmsghdr *nlh, void *arg)
{
	struct wg_list *l = arg;
	const struct nlattr *attr;
	int r = 0;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
	{
		switch (mnl_attr_get_type(attr)) {
		case WGDEVICE_A_PRIVATE_KEY:
			l->private_key = read_key(attr);
			break;
		case WGDEVICE_A_LISTEN_PORT:
			l->listen_port = mnl_attr_get_u16(attr);
			break;
		case WGDEVICE_A_PEERS:
			r = read_peers(attr, l);
			break;
		}
		if (r)
			break;
	}
	errno = -r;
	return r ? MNL_CB_ERROR : MNL_CB_OK;
}

static int dump_once(const char *interface, uint16_t family, struct wg_list *ret_list)
{
	_cleanup_(talk_done) struct talk t = {.socket = NULL};
	struct wg_list l = {0};
	int r;

	r = talk_open(&t);
	if (r)
		return r;
	start(&t, family, NLM_F_DUMP, WG_CMD_GET_DEVICE);
	mnl_attr_put_strz(t.nlh, WGDEVICE_A_IFNAME, interface);
	r = finish(&t, on_device, &l);
	if (r) {
		wglist_done(&l);
		return r;
	}
	*ret_list = l;
	return 0;
}

int wgnl_get(const char *interface, struct wg_list *ret_list)
{
	uint16_t family;
	int r;

	r = wgnl_family(&family);
	if (r)
		return r;
	for (unsigned i = 0; i < DUMP_TRIES; i++) {
		r = dump_once(interface, family, ret_list);
		if (r != -EINTR)
			return r;
	}
	return -EAGAIN;
}

/* --- writing --- */

/* A set under way: messages with peers in them, sent one by one as they fill up. */
struct writer {
	struct talk talk;
	const char *interface;
	uint16_t family;
	struct nlattr *peers, *peer, *prefixes; /* nests that are open */
};

static void writer_done(struct writer *w)
{
	talk_done(&w->talk);
}

static int writer_open(struct writer *w, const char *interface)
{
	int r = wgnl_family(&w->family);

	if (r)
		return r;
	w->interface = interface;
	return talk_open(&w->talk);
}

static void start_set(struct writer *w)
{
	start(&w->talk, w->family, NLM_F_ACK, WG_CMD_SET_DEVICE);
	mnl_attr_put_strz(w->talk.nlh, WGDEVICE_A_IFNAME, w->interface);
}

static bool has_room(const struct writer *w, size_t len)
{
	return w->talk.nlh->nlmsg_len + len <= sizeof(w->talk.buf);
}

static void open_peer(struct writer *w, const struct key *public_key, uint32_t flags)
{
	w->peer = mnl_attr_nest_start(w->talk.nlh, 0);
	mnl_attr_put(w->talk.nlh, WGPEER_A_PUBLIC_KEY, KEY_LEN, public_key->b);
	if (flags)
		mnl_attr_put_u32(w->talk.nlh, WGPEER_A_FLAGS, flags);
}

static void close_peer(struct writer *w)
{
	if (w->prefixes)
		mnl_attr_nest_end(w->talk.nlh, w->prefixes);
	mnl_attr_nest_end(w->talk.nlh, w->peer);
	w->prefixes = w->peer = NULL;
}

static int send_peers(struct writer *w)
{
	if (!w->peers)
		return 0;
	mnl_attr_nest_end(w->talk.nlh, w->peers);
	w->peers = NULL;
	return finish(&w->talk, NULL, NULL);
}

/* Room for a peer's head and a prefix: what is full goes out first. */
static int make_room(struct writer *w)
{
	int r = 0;

	if (w->peers && !has_room(w, PEER_MAX_LEN + PREFIX_MAX_LEN))
		r = send_peers(w);
	if (r || w->peers)
		return r;
	start_set(w);
	w->peers = mnl_attr_nest_start(w->talk.nlh, WGDEVICE_A_PEERS);
	return 0;
}

static void put_endpoint(struct nlmsghdr *nlh, const struct wg_endpoint *e)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(e->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};

	if (e->family == CIDR_V4) {
		memcpy(&in4.sin_addr, e->addr, 4);
		mnl_attr_put(nlh, WGPEER_A_ENDPOINT, sizeof(in4), &in4);
	} else if (e->family == CIDR_V6) {
		memcpy(&in6.sin6_addr, e->addr, 16);
		mnl_attr_put(nlh, WGPEER_A_ENDPOINT, sizeof(in6), &in6);
	}
}

static int put_prefix(struct writer *w, const struct wg_change *c, const struct cidr *prefix)
{
	struct nlmsghdr *nlh = w->talk.nlh;
	struct nlattr *nest;
	int r;

	if (!has_room(w, PREFIX_MAX_LEN)) {
		close_peer(w);
		r = make_room(w);
		if (r)
			return r;
		open_peer(w, &c->public_key, WGPEER_F_UPDATE_ONLY);
	}
	if (!w->prefixes)
		w->prefixes = mnl_attr_nest_start(nlh, WGPEER_A_ALLOWEDIPS);
	nest = mnl_attr_nest_start(nlh, 0);
	mnl_attr_put_u16(nlh, WGALLOWEDIP_A_FAMILY, prefix->family == CIDR_V4 ? AF_INET : AF_INET6);
	mnl_attr_put(nlh, WGALLOWEDIP_A_IPADDR, prefix->family == CIDR_V4 ? 4 : 16, prefix->addr);
	mnl_attr_put_u8(nlh, WGALLOWEDIP_A_CIDR_MASK, prefix->bits);
	mnl_attr_nest_end(nlh, nest);
	return 0;
}

static uint32_t flags_of(const struct wg_change *c)
{
	switch (c->kind) {
	case WG_CHANGE_ADD:
		return WGPEER_F_REPLACE_ALLOWEDIPS;
	case WG_CHANGE_UPDATE:
		return WGPEER_F_UPDATE_ONLY;
	case WG_CHANGE_REMOVE:
		return WGPEER_F_REMOVE_ME;
	case WG_CHANGE_DROP:
		break;
	}
	return 0;
}

static int put_change(struct writer *w, const struct wg_delta *d, const struct wg_change *c)
{
	int r;

	r = make_room(w);
	if (r)
		return r;
	open_peer(w, &c->public_key, flags_of(c));
	if (c->flags & WG_SET_PSK)
		mnl_attr_put(w->talk.nlh, WGPEER_A_PRESHARED_KEY, KEY_LEN, c->psk.b);
	if (c->flags & WG_SET_ENDPOINT)
		put_endpoint(w->talk.nlh, &c->endpoint);
	if (c->flags & WG_SET_KEEPALIVE)
		mnl_attr_put_u16(w->talk.nlh, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
				 c->keepalive_s);
	for (size_t i = 0; i < c->n_prefixes; i++) {
		r = put_prefix(w, c, &d->prefixes[c->first_prefix + i]);
		if (r)
			return r;
	}
	close_peer(w);
	if (c->kind != WG_CHANGE_DROP)
		return 0;
	r = make_room(w);
	if (r)
		return r;
	open_peer(w, &c->public_key, WGPEER_F_REMOVE_ME);
	close_peer(w);
	return 0;
}

int wgnl_apply(const char *interface, const struct wg_delta *d, size_t from, size_t n)
{
	_cleanup_(writer_done) struct writer w = {.peers = NULL};
	int r;

	r = writer_open(&w, interface);
	for (size_t i = from; i < from + n && !r; i++)
		r = put_change(&w, d, &d->changes[i]);
	return r ? r : send_peers(&w);
}

int wgnl_set_device(const char *interface, const struct key *private_key, uint16_t port)
{
	_cleanup_(writer_done) struct writer w = {.peers = NULL};
	int r;

	r = writer_open(&w, interface);
	if (r)
		return r;
	start_set(&w);
	if (private_key)
		mnl_attr_put(w.talk.nlh, WGDEVICE_A_PRIVATE_KEY, KEY_LEN, private_key->b);
	if (port)
		mnl_attr_put_u16(w.talk.nlh, WGDEVICE_A_LISTEN_PORT, port);
	return finish(&w.talk, NULL, NULL);
}

int wgnl_clear(const char *interface)
{
	_cleanup_(writer_done) struct writer w = {.peers = NULL};
	int r;

	r = writer_open(&w, interface);
	if (r)
		return r;
	start_set(&w);
	mnl_attr_put_u32(w.talk.nlh, WGDEVICE_A_FLAGS, WGDEVICE_F_REPLACE_PEERS);
	return finish(&w.talk, NULL, NULL);
}
