/* SPDX-License-Identifier: Apache-2.0 */
/* Events of the agent stream as frames, ready for any number of streams. NULL: out of memory. */
#ifndef QM_EVENTS_H
#define QM_EVENTS_H

#include "base/frame.h"
#include "quazzar/mesh/v1/agent.pb-c.h"

/* SubscribeResponse around an event, with gRPC's head; secret: wiped when freed. */
struct frame *events_frame(const Pb__AgentEvent *event, bool secret);
struct frame *events_refresh(void);
struct frame *events_interest(uint32_t for_ms);
struct frame *events_drain(uint32_t reconnect_after_ms, uint32_t spread_ms);
/* An increment. */
struct frame *events_revocations(const uint8_t (*ids)[16], size_t n);

#endif
