/* SPDX-License-Identifier: Apache-2.0 */
/* Tries and looks; changes nothing. Any thread. */
#include "server/wg/wgneeds.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server/wg/netif.h"
#include "server/wg/uapi.h"

#define TUN "/dev/net/tun"
#define LINE_LEN 256

static int try_bind(int family, const struct sockaddr *address, socklen_t len)
{
	_cleanup_(close_fdp) int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return 0;
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return bind(fd, address, len) && errno == EADDRINUSE ? -EADDRINUSE : 0;
}

int wgneeds_port(uint16_t port)
{
	const struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	const struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int r = try_bind(AF_INET, (const struct sockaddr *)&in4, sizeof(in4));

	return r ? r : try_bind(AF_INET6, (const struct sockaddr *)&in6, sizeof(in6));
}

void wgneeds_say_taken(const struct wg_options *o, const char *backend)
{
	char kind[NETIF_KIND_LEN] = "";

	if (netif_kind(o->interface, kind))
		return;
	if (strcmp(kind, "wireguard") == 0 || uapi_answers(o->interface))
		log_error("wg", "%s is there already and no %s one; --teardown removes it",
			  o->interface, backend);
	else
		log_error("wg",
			  "%s is there already, an interface of somebody else's (%s): give "
			  "wg_interface another name, or remove it by \"ip link delete %s\"",
			  o->interface, kind[0] ? kind : "plain", o->interface);
}

/* The last line that the program wrote. */
static void last_words(const struct wg_options *o, char ret[LINE_LEN])
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[512], line[LINE_LEN];

	ret[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s.log", o->state_dir, o->interface);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			memcpy(ret, line, sizeof(line));
	}
}

void wgneeds_say_userspace(const struct wg_options *o, int error)
{
	char words[LINE_LEN];

	if (error == -ENOENT) {
		log_error("wg",
			  "there is no program %s: install it, name it by wireguard_go, or let the "
			  "kernel have WireGuard (modprobe wireguard)",
			  o->userspace);
	} else if (access(TUN, F_OK)) {
		log_error("wg",
			  "there is no " TUN ", which %s needs: modprobe tun, or give this "
			  "container the device",
			  o->userspace);
	} else if (access(TUN, R_OK | W_OK)) {
		log_error("wg", TUN " may not be opened, which %s needs: %s", o->userspace,
			  strerror(errno));
	} else {
		last_words(o, words);
		log_error("wg",
			  "%s ended at its start: %s; it needs root or CAP_NET_ADMIN, and " UAPI_DIR
			  " to write in",
			  o->userspace, words[0] ? words : strerror(-error));
	}
}
