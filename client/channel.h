/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client as all threads see it: calls and wishes go into an inbox, and an
 * I/O thread with an engine of its own takes them from there.
 */
#ifndef QM_CHANNEL_H
#define QM_CHANNEL_H

#include <stdbool.h>

#include "client/pin.h"
#include "client/qcall.h"
#include "client/qmesh.h"

struct channel;

/* Parses the target, loads trust, starts the thread. -EINVAL, -ENOENT, -ENOMEM, -EAGAIN. */
int channel_new(const struct qm_options *options, struct channel **ret_channel) _must_check_;
/* Ends the calls, joins the thread, drops the caller's count. */
void channel_stop(struct channel *ch);
struct channel *channel_ref(struct channel *ch);
void channel_unref(struct channel *ch);
/* Hands a call over; the channel takes a count of its own. -ECANCELED: it is being stopped. */
int channel_submit(struct channel *ch, struct qm_call *call) _must_check_;
/* Any thread, any time, also after the end. */
void channel_cancel(struct channel *ch, struct qm_call *call);
/* The call has something to send, or reads again. */
void channel_poke(struct channel *ch, struct qm_call *call);
int channel_set_pins(struct channel *ch, const uint8_t (*pins)[PIN_LEN], size_t n) _must_check_;
/* Is the calling thread the I/O thread? */
bool channel_is_self(const struct channel *ch);

#endif
