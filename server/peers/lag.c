/* SPDX-License-Identifier: Apache-2.0 */
#include "server/peers/lag.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *lag_name(enum lag_state state)
{
	static const char *const names[LAG_N_STATES] = {
		[LAG_UNKNOWN] = "unknown", [LAG_CURRENT] = "current", [LAG_OFFLINE] = "offline",
		[LAG_JOINING] = "joining", [LAG_BEHIND] = "behind",   [LAG_SILENT] = "silent",
		[LAG_DIFFERS] = "differs", [LAG_REFUSED] = "refused",
	};

	return state < LAG_N_STATES ? names[state] : names[LAG_UNKNOWN];
}

bool lag_is_told(const struct lag *lag, int64_t now_ms)
{
	if (lag->state == LAG_CURRENT || lag->state == LAG_UNKNOWN)
		return false;
	/* A clock that was set back must not hide it. */
	return (lag->state != LAG_BEHIND && lag->state != LAG_JOINING) ||
	       now_ms - lag->since_ms >= LAG_WORTH_TELLING_MS || now_ms < lag->since_ms;
}

char *lag_words(const struct lag *lag, const char *failed, char ret[LAG_WORDS_MAX])
{
	const char *why = strerror((int)lag->failed_errno);

	ret[0] = '\0';
	switch (lag->state) {
	case LAG_OFFLINE:
		snprintf(ret, LAG_WORDS_MAX, "not connected to the Control Panel");
		break;
	case LAG_JOINING:
		snprintf(ret, LAG_WORDS_MAX, "connected, has not reported yet");
		break;
	case LAG_BEHIND:
		snprintf(ret, LAG_WORDS_MAX, "connected, still at generation %" PRIu64,
			 lag->generation);
		break;
	case LAG_SILENT:
		snprintf(ret, LAG_WORDS_MAX,
			 "connected, but has said nothing for %u s: stopped, or its way back is "
			 "cut; still at generation %" PRIu64,
			 lag->silent_s, lag->generation);
		break;
	case LAG_DIFFERS:
		if (lag->differs == LAG_INTERFACE) {
			snprintf(ret, LAG_WORDS_MAX,
				 "its interface has other peers than generation %" PRIu64
				 " gives it",
				 lag->generation);
			break;
		}
		snprintf(ret, LAG_WORDS_MAX,
			 "its list is not the one of generation %" PRIu64 ": told to fetch it anew",
			 lag->generation);
		break;
	case LAG_REFUSED:
		snprintf(ret, LAG_WORDS_MAX,
			 "applied, %u failed: its interface refuses %.100s%s (%.80s)", lag->failed,
			 failed && *failed ? failed : "a peer",
			 lag->failed > 1 ? " and others" : "", why);
		break;
	default:
		break;
	}
	return ret;
}
