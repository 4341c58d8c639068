/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/interest.h"

#include "base/clock.h"
#include "server/cp/events.h"
#include "server/cp/presence.h"

enum { INTEREST_MS = 60000 };

/* Asked again only when half of the time is over: by one frame, whoever and how many look. */
static void ask(struct room *room, uint64_t now)
{
	struct frame *frame;

	if (room->asked_until_ms > now + INTEREST_MS / 2)
		return;
	frame = events_interest(INTEREST_MS);
	if (!frame)
		return;
	room->asked_until_ms = now + INTEREST_MS;
	room_send_all(room, frame);
	frame_unref(frame);
}

/* The part that is next; what comes after it when this one was read. */
static void show_part(struct stream *stream)
{
	struct room *room = stream->room;
	struct frame *part = presence_part(room_cp(room), &room->tenant, &stream->status_at);

	if (!part || !room_send(stream, part))
		stream->status_at = 0;
	frame_unref(part);
}

bool interest_go_on(struct stream *stream)
{
	if (stream->status_at && !call_queued(stream->call))
		show_part(stream);
	return stream->status_at != 0;
}

void interest_shown(struct room *room, const struct uuid *node)
{
	struct stream *s = rooms_stream(room->all, &room->tenant, node);
	uint64_t now = clock_boot_ms();

	if (s && s->interest_until_ms <= now + INTEREST_MS / 2) {
		if (s->interest_until_ms <= now) {
			s->status_at = 0;
			show_part(s);
		}
		s->interest_until_ms = now + INTEREST_MS;
	}
	ask(room, now);
}

void interest_greet(struct stream *stream)
{
	uint64_t now = clock_boot_ms(), until = stream->room->asked_until_ms;
	struct frame *frame;

	if (until <= now)
		return;
	frame = events_interest((uint32_t)(until - now));
	if (frame)
		room_send(stream, frame);
	frame_unref(frame);
}

void interest_relay(struct room *room, const struct uuid *from, struct frame *frame)
{
	uint64_t now = clock_boot_ms();

	for (struct stream *s = room->streams; s; s = s->next) {
		if (s->interest_until_ms > now && !uuid_equal(&s->node, from))
			room_send(s, frame);
	}
}
