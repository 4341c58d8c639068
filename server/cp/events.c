/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/events.h"

struct frame *events_frame(const Pb__AgentEvent *event, bool secret)
{
	Pb__SubscribeResponse response = PB__SUBSCRIBE_RESPONSE__INIT;
	struct frame *f;

	response.event = (Pb__AgentEvent *)event;
	f = frame_new(protobuf_c_message_get_packed_size(&response.base));
	if (!f)
		return NULL;
	f->secret = secret;
	protobuf_c_message_pack(&response.base, f->bytes + FRAME_HEAD_LEN);
	return f;
}

struct frame *events_refresh(void)
{
	Pb__RefreshEvent refresh = PB__REFRESH_EVENT__INIT;
	Pb__AgentEvent event = PB__AGENT_EVENT__INIT;

	event.type = (char *)"mesh.refresh";
	event.body_case = PB__AGENT_EVENT__BODY_REFRESH;
	event.refresh = &refresh;
	return events_frame(&event, false);
}

struct frame *events_interest(uint32_t for_ms)
{
	Pb__Interest interest = PB__INTEREST__INIT;
	Pb__AgentEvent event = PB__AGENT_EVENT__INIT;

	interest.for_ms = for_ms;
	event.type = (char *)"mesh.interest";
	event.body_case = PB__AGENT_EVENT__BODY_INTEREST;
	event.interest = &interest;
	return events_frame(&event, false);
}

struct frame *events_drain(uint32_t reconnect_after_ms, uint32_t spread_ms)
{
	Pb__Drain drain = PB__DRAIN__INIT;
	Pb__AgentEvent event = PB__AGENT_EVENT__INIT;

	drain.reconnect_after_ms = reconnect_after_ms;
	drain.spread_ms = spread_ms;
	event.type = (char *)"mesh.drain";
	event.body_case = PB__AGENT_EVENT__BODY_DRAIN;
	event.drain = &drain;
	return events_frame(&event, false);
}

struct frame *events_revocations(const uint8_t (*ids)[16], size_t n)
{
	_cleanup_(freep) ProtobufCBinaryData *list = calloc(n ? n : 1, sizeof(*list));
	Pb__Revocations revocations = PB__REVOCATIONS__INIT;
	Pb__AgentEvent event = PB__AGENT_EVENT__INIT;

	if (!list)
		return NULL;
	for (size_t i = 0; i < n; i++)
		list[i] = (ProtobufCBinaryData){.data = (uint8_t *)ids[i], .len = 16};
	revocations.session_ids = list;
	revocations.n_session_ids = n;
	event.type = (char *)"mesh.revocations";
	event.body_case = PB__AGENT_EVENT__BODY_REVOCATIONS;
	event.revocations = &revocations;
	return events_frame(&event, false);
}
