/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the model fresh. One tab of this browser holds the event stream (a Web
 * Lock picks it) and tells the others over a BroadcastChannel; every other tab
 * polls while it is visible, and so does the holder when the stream fails
 * twice. A hidden tab only notes that it has something to catch up on.
 */
import { computed, effect } from "@preact/signals";
import { POLL_MS, cp_down, phase, refresh, resume, signed_out } from "./model";

const STREAM_RETRY_MS = 30_000;
/* With the stream up: a safety net against a change that got lost. */
const SLOW_POLL_MS = 60_000;

const channel = "BroadcastChannel" in window ? new BroadcastChannel("qmesh-live") : null;

const in_session = computed(() => phase.value === "ready" && !signed_out.value);

function session(): Promise<void> {
	return new Promise((done) => {
		const stop: { now?: () => void } = {};
		stop.now = effect(() => {
			if (!in_session.value) return;
			done();
			queueMicrotask(() => stop.now?.());
		});
	});
}

let streaming = false;
let missed = false;
let last_ms = 0;

function catch_up() {
	if (!in_session.value) return;
	if (document.hidden) {
		missed = true;
		return;
	}
	missed = false;
	last_ms = Date.now();
	void refresh();
}

function poll() {
	if (document.hidden) return;
	if (Date.now() - last_ms >= (streaming && !cp_down.value ? SLOW_POLL_MS : POLL_MS)) catch_up();
}

/* Holds the stream until it fails twice in a row; resolves then. */
function stream(): Promise<void> {
	return new Promise((done) => {
		const source = new EventSource("/api/mesh/events");
		let failures = 0;
		source.onopen = () => {
			streaming = true;
			failures = 0;
		};
		source.addEventListener("changed", () => {
			failures = 0;
			channel?.postMessage("changed");
			catch_up();
		});
		source.onerror = () => {
			streaming = false;
			failures++;
			if (failures < 2 && source.readyState !== EventSource.CLOSED) return;
			source.close();
			catch_up();
			done();
		};
	});
}

async function hold_stream() {
	for (;;) {
		await session();
		await stream();
		await new Promise((r) => setTimeout(r, STREAM_RETRY_MS));
	}
}

export function start_live() {
	last_ms = Date.now();
	if (channel) channel.onmessage = catch_up;
	document.addEventListener("visibilitychange", () => {
		if (document.hidden) return;
		/* Another tab may have signed in again. */
		if (signed_out.value) void resume();
		else if (missed || !streaming) catch_up();
	});
	setInterval(poll, 1000);
	if (navigator.locks) void navigator.locks.request("qmesh-live", hold_stream);
	else void hold_stream();
}
