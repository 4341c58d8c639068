/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink through libmnl: one socket per request, closed on every way out. */
#include "server/wg/netif.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"

static void mnl_closep(struct mnl_socket **s)
{
	if (*s)
		mnl_socket_close(*s);
}

/* Sends a request and runs cb on what comes back, to the end. */
static int transact(struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	_cleanup_(mnl_closep) struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buf[32768];
	int r = MNL_CB_OK;

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_origin(-errno);
	nlh->nlmsg_seq = 1;
	if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
		return err_origin(-errno);
	while (r == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(s, buf, sizeof(buf));

		if (n < 0)
			return err_origin(-errno);
		r = mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(s), cb, arg);
	}
	return r < 0 ? -errno : 0;
}

static int find_index(const char *interface, unsigned *ret_index)
{
	unsigned index = if_nametoindex(interface);

	if (!index)
		return -ENODEV;
	*ret_index = index;
	return 0;
}

int netif_create(const char *interface, const char *kind)
{
	char buf[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *info;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, interface);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(nlh, info);
	return transact(nlh, NULL, NULL);
}

int netif_delete(const char *interface)
{
	char buf[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int r;

	nlh->nlmsg_type = RTM_DELLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, interface);
	r = transact(nlh, NULL, NULL);
	return r == -ENODEV ? 0 : r;
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr, *inner;
	char *kind = arg;

	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(inner, attr)
		{
			if (mnl_attr_get_type(inner) == IFLA_INFO_KIND)
				snprintf(kind, NETIF_KIND_LEN, "%s", mnl_attr_get_str(inner));
		}
	}
	return MNL_CB_OK;
}

int netif_kind(const char *interface, char ret_kind[NETIF_KIND_LEN])
{
	char buf[512], kind[NETIF_KIND_LEN] = "";
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int r;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, interface);
	r = transact(nlh, on_link, kind);
	if (!r)
		memcpy(ret_kind, kind, sizeof(kind));
	return r;
}

static void put_address(struct nlmsghdr *nlh, unsigned index, const struct cidr *a)
{
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	size_t len = a->family == CIDR_V4 ? 4 : 16;

	ifa->ifa_family = a->family == CIDR_V4 ? AF_INET : AF_INET6;
	ifa->ifa_prefixlen = a->bits;
	ifa->ifa_index = index;
	/* No duplicate detection on a link without neighbours: the address works at once. */
	ifa->ifa_flags = a->family == CIDR_V6 ? IFA_F_NODAD : 0;
	mnl_attr_put(nlh, IFA_LOCAL, len, a->addr);
	mnl_attr_put(nlh, IFA_ADDRESS, len, a->addr);
}

int netif_add_address(const char *interface, const struct cidr *address)
{
	char buf[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	unsigned index;
	int r;

	r = find_index(interface, &index);
	if (r)
		return err_origin(r);
	nlh->nlmsg_type = RTM_NEWADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
	put_address(nlh, index, address);
	r = transact(nlh, NULL, NULL);
	return r == -EEXIST ? 0 : r;
}

static int delete_address(unsigned index, const struct cidr *address)
{
	char buf[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int r;

	nlh->nlmsg_type = RTM_DELADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	put_address(nlh, index, address);
	r = transact(nlh, NULL, NULL);
	return r == -EADDRNOTAVAIL ? 0 : r;
}

#define MAX_STRANGERS 16

struct strangers {
	unsigned index;
	const struct cidr *keep;
	size_t n_keep;
	struct cidr found[MAX_STRANGERS];
	size_t n;
};

static int on_address(const struct nlmsghdr *nlh, void *arg)
{
	struct strangers *s = arg;
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	struct cidr address = {0};

	if (ifa->ifa_index != s->index || ifa->ifa_scope == RT_SCOPE_LINK)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		if (mnl_attr_get_type(attr) != IFA_ADDRESS)
			continue;
		address.family = ifa->ifa_family == AF_INET ? CIDR_V4 : CIDR_V6;
		address.bits = ifa->ifa_prefixlen;
		memcpy(address.addr, mnl_attr_get_payload(attr),
		       ifa->ifa_family == AF_INET ? 4 : 16);
	}
	for (size_t i = 0; i < s->n_keep; i++)
		if (cidr_equal(&s->keep[i], &address))
			return MNL_CB_OK;
	if (address.family && s->n < MAX_STRANGERS)
		s->found[s->n++] = address;
	return MNL_CB_OK;
}

int netif_keep_addresses(const char *interface, const struct cidr *keep, size_t n)
{
	struct strangers s = {.keep = keep, .n_keep = n};
	char buf[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;
	int r;

	r = find_index(interface, &s.index);
	if (r)
		return err_origin(r);
	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_UNSPEC;
	r = transact(nlh, on_address, &s);
	for (size_t i = 0; !r && i < s.n; i++)
		r = delete_address(s.index, &s.found[i]);
	return r;
}

int netif_up(const char *interface, uint32_t mtu)
{
	char buf[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;
	unsigned index;
	int r;

	r = find_index(interface, &index);
	if (r)
		return err_origin(r);
	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = (int)index;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return transact(nlh, NULL, NULL);
}

struct routes {
	unsigned skip_index;
	struct cidr *found;
	size_t n, cap;
};

static int on_route(const struct nlmsghdr *nlh, void *arg)
{
	struct routes *routes = arg;
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	struct cidr prefix = {.bits = rtm->rtm_dst_len};
	unsigned out = 0;

	if (rtm->rtm_table != RT_TABLE_MAIN || rtm->rtm_dst_len == 0)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF) {
			out = mnl_attr_get_u32(attr);
		} else if (mnl_attr_get_type(attr) == RTA_DST) {
			prefix.family = rtm->rtm_family == AF_INET ? CIDR_V4 : CIDR_V6;
			memcpy(prefix.addr, mnl_attr_get_payload(attr),
			       rtm->rtm_family == AF_INET ? 4 : 16);
		}
	}
	if (prefix.family == CIDR_V6 && (prefix.addr[0] == 0xff || prefix.addr[0] == 0xfe))
		return MNL_CB_OK;
	if (prefix.family && routes->n < routes->cap &&
	    !(routes->skip_index && out == routes->skip_index))
		routes->found[routes->n++] = prefix;
	return MNL_CB_OK;
}

int netif_routes(const char *skip, struct cidr *ret_routes, size_t cap)
{
	struct routes routes = {
		.skip_index = if_nametoindex(skip), .found = ret_routes, .cap = cap};
	char buf[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;
	int r;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = AF_UNSPEC;
	r = transact(nlh, on_route, &routes);
	return r ? r : (int)routes.n;
}
