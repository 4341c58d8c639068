/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program nft takes no generation, so this speaks netlink: linux/netfilter/nf_tables.h.
 * A batch is
 *
 *   BATCH_BEGIN { NFNL_BATCH_GENID }  DELRULE { table, chain, handle } …  BATCH_END
 *
 * and the kernel refuses it with ERESTART, under the lock that it commits with, when the number
 * is not the current one. Each message has a sequence number, by which answers are known.
 */
#include "server/wg/nftgen.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/err.h"

#define BUFFER_LEN 32768
#define ANSWER_S 10
#define TYPE(message) (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | (message))

struct talk {
	int fd;
	uint32_t seq;   /* of the last message */
	size_t len, at; /* at: where the last message begins */
	_Alignas(struct nlmsghdr) uint8_t buf[BUFFER_LEN];
};

static void talk_done(struct talk *t)
{
	close_fdp(&t->fd);
}

static int talk_open(struct talk *t)
{
	const struct timeval patience = {.tv_sec = ANSWER_S};

	t->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (t->fd < 0 || setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return err_origin(-errno);
	return 0;
}

/* Everything below fits: the number of rules and the length of names are bounded. */
static void *room(struct talk *t, size_t len)
{
	void *p = t->buf + t->len;

	memset(p, 0, NLMSG_ALIGN(len));
	t->len += NLMSG_ALIGN(len);
	return p;
}

static void set_len(struct talk *t)
{
	((struct nlmsghdr *)(t->buf + t->at))->nlmsg_len = (uint32_t)(t->len - t->at);
}

static void start(struct talk *t, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource)
{
	struct nlmsghdr *head;
	struct nfgenmsg *body;

	t->at = t->len;
	head = room(t, sizeof(*head));
	head->nlmsg_type = type;
	head->nlmsg_flags = NLM_F_REQUEST | flags;
	head->nlmsg_seq = ++t->seq;
	body = room(t, sizeof(*body));
	body->nfgen_family = family;
	body->version = NFNETLINK_V0;
	body->res_id = htons(resource);
	set_len(t);
}

static void put(struct talk *t, uint16_t type, const void *value, size_t len)
{
	struct nlattr *attr = room(t, NLA_HDRLEN + len);

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(NLA_HDRLEN + len);
	memcpy((uint8_t *)attr + NLA_HDRLEN, value, len);
	set_len(t);
}

static int send_all(struct talk *t)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (sendto(t->fd, t->buf, t->len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return err_origin(-errno);
	return 0;
}

static int receive(struct talk *t)
{
	ssize_t n;

	do
		n = recv(t->fd, t->buf, sizeof(t->buf), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_origin(errno == EAGAIN ? -ETIMEDOUT : -errno);
	t->len = (size_t)n;
	t->at = 0;
	return 0;
}

/* The next message of what was received; NULL behind the last. */
static const struct nlmsghdr *next(struct talk *t)
{
	const struct nlmsghdr *head = (const struct nlmsghdr *)(t->buf + t->at);

	if (t->len < t->at + sizeof(*head) || head->nlmsg_len < sizeof(*head) ||
	    head->nlmsg_len > t->len - t->at)
		return NULL;
	t->at += NLMSG_ALIGN(head->nlmsg_len);
	if (t->at > t->len)
		t->at = t->len;
	return head;
}

/* Of an ERROR message: 0 or -errno. */
static int error_of(const struct nlmsghdr *head)
{
	int error = -EBADMSG;

	if (head->nlmsg_len >= NLMSG_HDRLEN + sizeof(error))
		memcpy(&error, (const uint8_t *)head + NLMSG_HDRLEN, sizeof(error));
	return error;
}

static int take_generation(const struct nlmsghdr *head, uint32_t *ret_generation)
{
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	struct nlattr attr;

	for (; at + sizeof(attr) <= head->nlmsg_len; at += NLA_ALIGN(attr.nla_len)) {
		const uint8_t *p = (const uint8_t *)head + at;
		uint32_t value;

		memcpy(&attr, p, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > head->nlmsg_len - at)
			break;
		if (attr.nla_type != NFTA_GEN_ID || attr.nla_len < NLA_HDRLEN + sizeof(value))
			continue;
		memcpy(&value, p + NLA_HDRLEN, sizeof(value));
		*ret_generation = ntohl(value);
		return 0;
	}
	return err_origin(-EBADMSG);
}

int nftgen_read(uint32_t *ret_generation)
{
	_cleanup_(talk_done) struct talk t = {.fd = -1};
	const struct nlmsghdr *head;
	int r;

	r = talk_open(&t);
	if (r)
		return r;
	start(&t, TYPE(NFT_MSG_GETGEN), 0, AF_UNSPEC, 0);
	r = send_all(&t);
	if (!r)
		r = receive(&t);
	if (r)
		return r;
	head = next(&t);
	if (!head)
		return err_origin(-EBADMSG);
	if (head->nlmsg_type == NLMSG_ERROR)
		return error_of(head);
	return take_generation(head, ret_generation);
}

/* "ip filter": what netlink calls "ip", and where the name begins. 0: no such family. */
static uint8_t family_of(const char *table, const char **ret_name)
{
	static const struct {
		const char *word;
		uint8_t family;
	} families[] = {{"inet ", NFPROTO_INET},     {"ip ", NFPROTO_IPV4},
			{"ip6 ", NFPROTO_IPV6},      {"arp ", NFPROTO_ARP},
			{"bridge ", NFPROTO_BRIDGE}, {"netdev ", NFPROTO_NETDEV}};

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		size_t len = strlen(families[i].word);

		*ret_name = table + len;
		if (strncmp(table, families[i].word, len) == 0)
			return families[i].family;
	}
	return 0;
}

static int put_rule(struct talk *t, const struct ruleset_mark *rule)
{
	uint64_t handle = htobe64(rule->handle);
	const char *table;
	uint8_t family = family_of(rule->table, &table);

	if (!family)
		return err_origin(-EAFNOSUPPORT);
	start(t, TYPE(NFT_MSG_DELRULE), NLM_F_ACK, family, 0);
	put(t, NFTA_RULE_TABLE, table, strlen(table) + 1);
	put(t, NFTA_RULE_CHAIN, rule->chain, strlen(rule->chain) + 1);
	put(t, NFTA_RULE_HANDLE, &handle, sizeof(handle));
	return 0;
}

/* Until the last rule is answered, or the batch as a whole is refused. The first error. */
static int answers(struct talk *t, uint32_t begin, uint32_t last)
{
	int first = 0;

	for (;;) {
		const struct nlmsghdr *head;
		int r = receive(t);

		if (r)
			return r;
		while ((head = next(t))) {
			r = head->nlmsg_type == NLMSG_ERROR ? error_of(head) : 0;
			first = first ? first : r;
			if (head->nlmsg_seq == last || (r && head->nlmsg_seq == begin))
				return first;
		}
	}
}

int nftgen_delete(uint32_t generation, const struct ruleset_mark *rules, size_t n)
{
	_cleanup_(talk_done) struct talk t = {.fd = -1};
	uint32_t wanted = htonl(generation), begin, last;
	int r;

	if (n == 0)
		return 0;
	if (n > NFTGEN_RULES_MAX)
		return err_origin(-E2BIG);
	r = talk_open(&t);
	if (r)
		return r;
	start(&t, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	put(&t, NFNL_BATCH_GENID, &wanted, sizeof(wanted));
	begin = t.seq;
	for (size_t i = 0; i < n && !r; i++)
		r = put_rule(&t, &rules[i]);
	last = t.seq;
	start(&t, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	if (!r)
		r = send_all(&t);
	if (!r)
		r = answers(&t, begin, last);
	return r == -ERESTART ? -EAGAIN : r;
}
