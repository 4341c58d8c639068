/* SPDX-License-Identifier: Apache-2.0 */
/* What the handler cannot take yet stays in the inlet, and then in the exchange. */
#include "gateway/webstream.h"

#include "server/rpc/inflow.h"

static void cut(struct webcall *w, int r, const char *words)
{
	call_finish(w->call, call_fail(w->call, (enum err)r, "%s", words));
}

/* False: there is none, or the call is over. */
static bool give_next(struct webcall *w)
{
	_cleanup_(text_done) struct text room = TEXT_INIT(0);
	const uint8_t *p = NULL;
	const char *why = "";
	size_t len = 0;
	int r = inlet_next(&w->inlet, &room, &p, &len, &why);

	if (r) {
		cut(w, r, why);
		return false;
	}
	if (!p)
		return false;
	w->call->zipped = w->inlet.zipped;
	codec_inflow(w->call, w->head.codec, p, len);
	return true;
}

static void tell_end(struct webcall *w)
{
	if (inlet_is_cut(&w->inlet)) {
		cut(w, (int)w->protocol->malformed, "The last message is cut short.");
		return;
	}
	w->end_told = true;
	inflow_end(w->call);
}

void webstream_pump(struct webcall *w)
{
	struct call *call = call_ref(w->call);

	if (!w->pumping) {
		w->pumping = true;
		while (w->x && inflow_ready(call) && give_next(w))
			;
		if (w->x && w->ended && !w->end_told && inflow_ready(call))
			tell_end(w);
		w->pumping = false;
		if (w->x)
			exchange_pause(w->x, !inflow_ready(call));
	}
	call_unref(call);
}

void webstream_data(struct webcall *w, const uint8_t *p, size_t len)
{
	const char *why = "";
	int r = inlet_add(&w->inlet, p, len, &why);

	if (r)
		cut(w, r, why);
	else
		webstream_pump(w);
}

void webstream_end(struct webcall *w)
{
	const char *why = "";
	int r = inlet_end(&w->inlet, &why);

	w->ended = true;
	if (r)
		cut(w, r, why);
	else
		webstream_pump(w);
}
