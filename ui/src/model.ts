/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the page knows, as signals, and the only place that fetches it. phase:
 * loading, then signin or ready. A session that ends while someone works sets
 * signed_out and leaves everything else, an open form above all, as it is.
 */
import { batch, computed, signal } from "@preact/signals";
import type { Device, Me, Node, State } from "./contract";
import { announce } from "./announce";
import { status_text } from "./status";
import { type Failure, call, failure_from } from "./wire";
import { t } from "./words";

export const phase = signal<"loading" | "signin" | "ready">("loading");
export const signed_out = signal(false);
export const me = signal<Me | null>(null);
export const state = signal<State | null>(null);
export const devices = signal<Device[]>([]);
export const nodes = signal<Node[]>([]);
/* Everyone's devices instead of one's own: ADMIN and AUDITOR. */
export const everyone = signal(false);
/* The last refresh failed so: the list stays, a banner tells. */
export const trouble = signal<Failure | null>(null);
export const loaded_at_ms = signal(0);
/* Ticks for texts that age. */
export const now_ms = signal(Date.now());

export const POLL_MS = 5000;
const REST_MS = 300;

setInterval(() => {
	if (!document.hidden) now_ms.value = Date.now();
}, 5000);

export const is_viewer = computed(() => me.value?.role === "ROLE_AUDITOR");
export const sees_all = computed(
	() => me.value?.role === "ROLE_ADMIN" || me.value?.role === "ROLE_AUDITOR",
);
export const cp_down = computed(() => state.value !== null && !state.value.cp_connected);

export function node_name(id: string): string {
	return nodes.value.find((n) => n.id === id)?.label ?? "";
}

const session_reasons = ["TOKEN_MISSING", "TOKEN_INVALID"];

/* Any call may find the session over; returns true when that was it. */
export function note_failure(f: Failure): boolean {
	if (!session_reasons.includes(f.reason)) return false;
	if (phase.value === "ready") signed_out.value = true;
	else phase.value = "signin";
	return true;
}

function tell_changes(before: Device[], after: Device[]) {
	const old = new Map(before.map((d) => [d.id, d]));
	const changed = after.filter((d) => old.has(d.id) && old.get(d.id)!.status !== d.status);
	if (changed.length > 3) announce(t("live.many", { n: changed.length }));
	else
		for (const d of changed)
			announce(
				d.status === "DEVICE_STATUS_CONNECTED"
					? t("live.connected", { label: d.label })
					: t("live.changed", { label: d.label, status: status_text(d) }),
			);
}

/* All pages of a list; Link tells the next one. */
async function fetch_list<T>(path: string): Promise<T[]> {
	const all: T[] = [];
	for (let next: string | null = path, pages = 0; next && pages < 64; pages++) {
		const answer: { value: T[]; headers: Headers } = await call<T[]>("GET", next);
		all.push(...(answer.value ?? []));
		const link = /<(\/[^>]*)>\s*;\s*rel="?next"?/.exec(answer.headers.get("link") ?? "");
		next = link ? link[1] : null;
	}
	return all;
}

async function fetch_all() {
	const scope = everyone.value;
	const [s, list, hosts] = await Promise.all([
		call<State>("GET", "/api/mesh/state"),
		fetch_list<Device>("/api/mesh/devices" + (scope ? "?all=true" : "")),
		fetch_list<Node>("/api/mesh/nodes"),
	]);
	if (scope !== everyone.value) return;
	batch(() => {
		state.value = s.value;
		nodes.value = hosts;
		tell_changes(devices.value, list);
		devices.value = list;
		loaded_at_ms.value = now_ms.value = Date.now();
		trouble.value = null;
	});
}

/* WhoAmI asks the Control Panel; without it the page still shows the mesh. */
async function fetch_me() {
	try {
		me.value = (await call<Me>("GET", "/api/auth/me")).value;
	} catch (e) {
		note_failure(failure_from(e));
	}
}

let running: Promise<void> | null = null;
let again = false;

/* One refresh at a time; a wish during it runs one more after it. */
export function refresh(): Promise<void> {
	if (running) {
		again = true;
		return running;
	}
	running = (async () => {
		do {
			again = false;
			try {
				await fetch_all();
				/* The first time may have met a Control Panel that was away. */
				if (!me.value && phase.value === "ready") await fetch_me();
			} catch (e) {
				const f = failure_from(e);
				if (!note_failure(f)) trouble.value = f;
			}
			/* A busy mesh changes all the time; the page need not follow each step. */
			if (again) await new Promise((r) => setTimeout(r, REST_MS));
		} while (again && !signed_out.value);
	})().finally(() => {
		running = null;
	});
	return running;
}

/* First load, and after each sign-in. */
export async function open_page() {
	try {
		state.value = (await call<State>("GET", "/api/mesh/state")).value;
	} catch (e) {
		const f = failure_from(e);
		if (note_failure(f)) return;
		trouble.value = f;
	}
	await Promise.all([fetch_me(), refresh()]);
	if (phase.value === "loading" || phase.value === "signin") phase.value = "ready";
}

export async function sign_in(user: string, password: string, tenant: string) {
	await call("POST", "/api/auth/login", {
		user,
		password,
		...(tenant ? { tenant } : {}),
	});
	if (phase.value === "ready" && me.value && me.value.user !== user) {
		/* Somebody else: nothing of the former person may stay. */
		location.reload();
		return;
	}
	batch(() => {
		signed_out.value = false;
		if (phase.value === "signin") phase.value = "loading";
	});
	await open_page();
}

/* A session over that may have begun anew elsewhere; somebody else's: a fresh page. */
export async function resume() {
	try {
		const who = (await call<Me>("GET", "/api/auth/me")).value;
		if (me.value && who.user !== me.value.user) location.reload();
		signed_out.value = false;
		await refresh();
	} catch {
		/* Still over. */
	}
}

export async function sign_out() {
	try {
		await call("POST", "/api/auth/logout", {});
	} catch (e) {
		const f = failure_from(e);
		if (!session_reasons.includes(f.reason)) {
			trouble.value = f;
			return;
		}
	}
	location.reload();
}
