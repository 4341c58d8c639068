/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people should know before they act: the Control Panel away, old data, a
 * node away, no right to change, and the recommendation to leave Pritunl with
 * its written steps.
 */
import { signal, useSignal } from "@preact/signals";
import { clock_time, left } from "./ago";
import { notice } from "./changes";
import { fail_body, fail_title } from "./failure";
import { CloseButton, Modal } from "./modal";
import {
	POLL_MS,
	cp_down,
	is_viewer,
	loaded_at_ms,
	me,
	nodes,
	now_ms,
	refresh,
	signed_out,
	state,
	trouble,
} from "./model";
import { t } from "./words";

const STALE_MS = 60_000;
/* The lease is told of when so much of it is left, or half of a short one. */
const LEASE_LOW_S = 86400;
export const migrating = signal(false);

function RetryButton() {
	const busy = useSignal(false);
	return (
		<button
			type="button"
			class="secondary"
			aria-disabled={busy.value ? "true" : undefined}
			onClick={async () => {
				busy.value = true;
				await refresh();
				busy.value = false;
			}}
		>
			{t("banner.retry")}
		</button>
	);
}

function Down() {
	const f = trouble.value;
	const retry_s = POLL_MS / 1000;
	if (f && f.reason !== "CP_UNREACHABLE")
		return (
			<div class="banner bad" role="alert" data-banner="lost">
				<div>
					<strong>{f.reason === "NETWORK" ? t("banner.lost") : fail_title(f)}</strong>{" "}
					{f.reason === "NETWORK" ? t("banner.lost_body", { n: retry_s }) : fail_body(f)}
				</div>
				<RetryButton />
			</div>
		);
	if (!f && !cp_down.value) return null;
	const since = state.value?.cp_lost_at;
	return (
		<div class="banner warn" role="status" data-banner="cp">
			<div>
				<strong>{t("banner.cp")}</strong> {t("banner.cp_body", { n: retry_s })}{" "}
				{since && t("banner.cp_since", { time: clock_time(since) })}
			</div>
			<RetryButton />
		</div>
	);
}

function Stale() {
	const age_ms = now_ms.value - loaded_at_ms.value;
	if (!loaded_at_ms.value || age_ms < STALE_MS || !trouble.value) return null;
	return (
		<div class="banner warn" role="status" data-banner="stale">
			<strong>{t("banner.stale", { n: Math.floor(age_ms / 60_000) })}</strong>
		</div>
	);
}

/* The node goes on without the Control Panel for as long as its lease lasts. */
function Lease() {
	const s = state.value;
	if (!s || trouble.value) return null;
	if (s.lease_over)
		return (
			<div class="banner bad" role="alert" data-banner="lease-over">
				<div>
					<strong>{t("banner.lease_over")}</strong> {t("banner.lease_over_body")}
				</div>
			</div>
		);
	const left_s = Number(s.lease_left_s);
	if (!left_s || left_s >= Math.min(LEASE_LOW_S, Number(s.lease_s) / 2)) return null;
	/* No role: a countdown that speaks up each minute helps nobody. */
	return (
		<div class="banner warn" data-banner="lease">
			<div>
				<strong>{t("banner.lease", { left: left(left_s) })}</strong> {t("banner.lease_body")}
			</div>
		</div>
	);
}

function NodesAway() {
	/* With the Control Panel away nobody knows about the other nodes. */
	if (cp_down.value) return null;
	return (
		<>
			{nodes.value
				.filter((n) => !n.online)
				.slice(0, 3)
				.map((n) => (
					<div class="banner warn" role="status" key={n.id} data-banner="node">
						<div>
							<strong>{t("banner.node", { node: n.label })}</strong>{" "}
							{t("banner.node_body")}
						</div>
					</div>
				))}
		</>
	);
}

function Pritunl() {
	/* Hidden per person on this browser. */
	const key = "qmesh-pritunl-hidden-" + (me.value?.user ?? "");
	const hidden = useSignal(false);
	let kept = false;
	try {
		kept = localStorage.getItem(key) === "1";
	} catch {
		/* No storage: the banner comes back with the next visit. */
	}
	if (hidden.value || kept) return null;
	return (
		<div class="banner info" data-banner="pritunl">
			<button type="button" class="link" onClick={() => (migrating.value = true)}>
				{t("banner.pritunl")}
			</button>
			<CloseButton
				name={t("banner.hide")}
				on_click={() => {
					hidden.value = true;
					try {
						localStorage.setItem(key, "1");
					} catch {
						/* As above. */
					}
				}}
			/>
		</div>
	);
}

function Notice() {
	const n = notice.value;
	if (!n) return null;
	return (
		<div class="banner good" data-banner="notice">
			<div>
				<strong>{n.title}</strong> {n.body}
			</div>
			<CloseButton on_click={() => (notice.value = null)} />
		</div>
	);
}

export function Banners() {
	const forwarding = state.value?.forwarding;
	return (
		<div class="banners">
			{!signed_out.value && <Down />}
			<Stale />
			<Lease />
			<NodesAway />
			{forwarding && !forwarding.startsWith("unknown: ") && (
				<div class="banner warn" role="status" data-banner="forwarding">
					<div>
						<strong>{t("banner.forwarding")}</strong> {forwarding}
					</div>
				</div>
			)}
			{/* Plan and licence, in the daemon's own words. */}
			{(state.value?.notices ?? []).map((words) => (
				<div class="banner warn" role="status" key={words} data-banner="plan">
					<div>{words}</div>
				</div>
			))}
			{is_viewer.value && (
				<div class="banner info" data-banner="viewer">
					<div>
						<strong>{t("banner.viewer")}</strong>{" "}
						{t("banner.viewer_body", { tenant: me.value?.tenant ?? "" })}
					</div>
				</div>
			)}
			<Pritunl />
			<Notice />
		</div>
	);
}

export function Migrate() {
	if (!migrating.value) return null;
	const steps = ["1", "2", "3", "4", "5", "6"] as const;
	const close = () => (migrating.value = false);
	return (
		<Modal title={t("migrate.title")} loose on_close={close}>
			<p>{t("migrate.lead")}</p>
			<ol class="steps">
				{steps.map((n) => (
					<li key={n}>{t(`migrate.${n}`)}</li>
				))}
			</ol>
			<p class="muted">{t("migrate.undo")}</p>
			<div class="actions">
				<button type="button" class="primary" onClick={close}>
					{t("dialog.close")}
				</button>
			</div>
		</Modal>
	);
}
