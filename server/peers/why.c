/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what makes all the rest meaningless (no key, a home that is away) to
 * what only shows once the device is connected. The first that holds is told.
 */
#include "server/peers/why.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* As the pills: base of "connected" and "idle". */
#define CONNECTED_MS (180 * 1000)
#define RECENT_RX_MS (30 * 1000)
#define IDLE_MS (10 * 60 * 1000)
#define AGO_LEN 32

static void say(struct why *w, const char *reason, const char *next_step, const char *evidence, ...)
	_printf_(4, 5);

static void say(struct why *w, const char *reason, const char *next_step, const char *evidence, ...)
{
	va_list ap;

	va_start(ap, evidence);
	vsnprintf(w->evidence, sizeof(w->evidence), evidence, ap);
	va_end(ap);
	w->reason = reason;
	snprintf(w->next_step, sizeof(w->next_step), "%s", next_step);
}

/* "3 min": of a span, in the largest unit that is not 0. */
static const char *span(int64_t ms, char ret[AGO_LEN])
{
	int64_t s = ms < 0 ? 0 : ms / 1000;

	if (s < 120)
		snprintf(ret, AGO_LEN, "%" PRId64 " s", s);
	else if (s < 2 * 3600)
		snprintf(ret, AGO_LEN, "%" PRId64 " min", s / 60);
	else if (s < 2 * 86400)
		snprintf(ret, AGO_LEN, "%" PRId64 " h", s / 3600);
	else
		snprintf(ret, AGO_LEN, "%" PRId64 " days", s / 86400);
	return ret;
}

/* Reasons that stand in the record of the device. */
static bool by_record(const struct why_facts *f, struct why *w)
{
	if (f->suspended)
		say(w, "SUSPENDED", "An admin can enable the account again.",
		    "The owner's account is disabled: no node serves the device.");
	else if (f->needs_new_config)
		say(w, "NEEDS_NEW_CONFIG", "Rotate the device's key and import the new config.",
		    "The node that the device connects to, its key or its endpoint has changed.");
	else if (!f->newest_key)
		say(w, "NO_KEY", "Rotate its key to get a config.", "The device has no key yet.");
	else
		return false;
	return true;
}

static void say_lease(const struct why_facts *f, struct why *w)
{
	char lease[AGO_LEN];

	say(w, "LEASE_OVER",
	    "Bring the node's way to the Control Panel back: devices are served again as soon as "
	    "it answers.",
	    "%s has not heard the Control Panel for longer than the lease of %s: it serves nodes "
	    "only, no devices.",
	    f->home, span((int64_t)f->lease_s * 1000, lease));
}

/* Reasons that lie with the home, whatever the device does. */
static bool by_home(const struct why_facts *f, struct why *w)
{
	char ago[AGO_LEN];

	if (f->lease_over) {
		say_lease(f, w);
	} else if (f->home_away && f->lease_s && f->home_lost_ms &&
		   f->now_ms - f->home_lost_ms > (int64_t)f->lease_s * 1000) {
		say_lease(f, w);
	} else if (f->home_away) {
		say(w, "HOME_NOT_CONNECTED",
		    "Check that node: its daemon, its way to the Control Panel. The device may "
		    "well be connected to it.",
		    "%s, the node that this device connects to, is not connected to the Control "
		    "Panel%s%s%s: the device's state is not known here.",
		    f->home, f->home_lost_ms ? ", since " : "",
		    f->home_lost_ms ? span(f->now_ms - f->home_lost_ms, ago) : "",
		    f->home_lost_ms ? " ago" : "");
	} else if (f->failed_errno) {
		say(w, "APPLY_FAILED",
		    "Rotate the device's key. If it stays so, remove and add the device, and see "
		    "the log of the node.",
		    "The interface of %s refused the device: %s.", f->home,
		    strerror(f->failed_errno));
	} else if (f->not_applied) {
		say(w, "NODE_NOT_APPLIED",
		    "Wait some seconds; if it stays so, look at the node: is qmesh-noded running, "
		    "what does its log say?",
		    "%s has not applied the device: %s.", f->home, f->not_applied);
	} else if (llabs(f->clock_off_ms) > WHY_CLOCK_MS) {
		say(w, "CLOCK_OFF", "Set that clock, best by NTP (timedatectl set-ntp true).",
		    "The clock of %s is %s %s the Control Panel's. Times of its devices are wrong "
		    "by as much, and other nodes refuse its handshakes after it was set back.",
		    f->home, span(llabs(f->clock_off_ms), ago),
		    f->clock_off_ms < 0 ? "behind" : "ahead of");
	} else {
		return false;
	}
	return true;
}

/* Nothing came with the newest key. */
static bool by_key(const struct why_facts *f, struct why *w)
{
	bool holds = f->seen_key == f->active_key && f->pending_until_ms > f->now_ms;
	char ago[AGO_LEN], left[AGO_LEN];

	if (!f->handshake_ms || !f->seen_key || f->seen_key >= f->newest_key)
		return false;
	say(w, "OLD_KEY_IN_USE",
	    "Import the newest config at the device; if it is lost, rotate the key again.",
	    "The device shook hands with version %u of its key, %s ago, and never with version "
	    "%u, which %s%s.",
	    f->seen_key, span(f->now_ms - f->handshake_ms, ago), f->newest_key,
	    holds ? "takes its place in " : "has taken its place",
	    holds ? span(f->pending_until_ms - f->now_ms, left) : "");
	return true;
}

static bool is_port_block(const char *blocked)
{
	return blocked && strstr(blocked, "the port of WireGuard") != NULL;
}

/* A command stands beside where one helps. */
static const char *step_of(const char *blocked)
{
	return strstr(blocked, "what helps: ")
		       ? "Run that command at the node, or set firewall = integrate there."
		       : "Look into the log of that node: it says what is in the way.";
}

static void say_never(const struct why_facts *f, struct why *w)
{
	if (is_port_block(f->blocked)) {
		say(w, "PORT_BLOCKED", step_of(f->blocked),
		    "No packet of the device ever came. At %s %s.", f->home, f->blocked);
		return;
	}
	say(w, "NEVER_A_PACKET",
	    "Import the config into the WireGuard app and switch the tunnel on. If it is on, check "
	    "that UDP to that endpoint is let through, by the network of the device too.",
	    "%s has the device's key in place, and no handshake with it was ever seen%s%s.",
	    f->home, f->endpoint && *f->endpoint ? " at " : "", f->endpoint ? f->endpoint : "");
}

/* Connected to its home, and what may keep others from reaching it. */
static bool by_way(const struct why_facts *f, struct why *w)
{
	if (f->cut_off)
		say(w, "NO_DIRECT_PATH",
		    "Give at least one of the two nodes an endpoint that the other reaches over "
		    "UDP, and check that its wg_port is let in.",
		    "The device reaches %s, but %s and %s have not shaken hands for more than "
		    "three minutes, or never.",
		    f->home, f->cut_off, f->home);
	else if (f->overlap)
		say(w, "ADDRESS_OVERLAP",
		    "Move that network to other addresses, or remove the route at the node.",
		    "The device reaches %s, but there %s.", f->home, f->overlap);
	else if (f->blocked && !is_port_block(f->blocked) &&
		 strncmp(f->blocked, WHY_BLOCK_UNKNOWN, strlen(WHY_BLOCK_UNKNOWN)) != 0)
		say(w, "FORWARDING_BLOCKED", step_of(f->blocked),
		    "The device reaches %s, but there traffic is held up: %s.", f->home,
		    f->blocked);
	else
		return false;
	return true;
}

static void by_age(const struct why_facts *f, struct why *w)
{
	int64_t age = f->now_ms - f->handshake_ms;
	char ago[AGO_LEN];

	span(age, ago);
	if (age > IDLE_MS && !(f->last_rx_ms && f->now_ms - f->last_rx_ms <= RECENT_RX_MS))
		say(w, "OFFLINE",
		    "Switch the tunnel on at the device and check its network; if its clock was "
		    "set back, set it right.",
		    "%s heard nothing of the device since its last handshake, %s ago.", f->home,
		    ago);
	else if (by_way(f, w))
		return;
	else if (age > CONNECTED_MS &&
		 !(f->last_rx_ms && f->now_ms - f->last_rx_ms <= RECENT_RX_MS))
		say(w, "IDLE", "Nothing to do: it comes back with the next packet of the device.",
		    "The last handshake with %s was %s ago.", f->home, ago);
	else
		say(w, "CONNECTED", "Nothing to do.", "The last handshake with %s was %s ago.",
		    f->home, ago);
}

void why_make(const struct why_facts *f, struct why *ret)
{
	*ret = (struct why){.reason = ""};
	if (by_record(f, ret) || by_home(f, ret) || by_key(f, ret))
		return;
	if (!f->handshake_ms)
		say_never(f, ret);
	else
		by_age(f, ret);
}
