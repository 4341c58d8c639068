/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rename, Rotate key and Remove: one small dialog each, and the notice that
 * follows a removal from node to node. Removing is immediate, so it asks first
 * and cannot be undone.
 */
import type { ComponentChildren } from "preact";
import { signal, useSignal } from "@preact/signals";
import type { Change, Device, Issued } from "./contract";
import { announce } from "./announce";
import { KeyField } from "./adddevice";
import { FailureBox, useCountdown } from "./failure";
import { Modal } from "./modal";
import { devices, note_failure, refresh } from "./model";
import { Secret } from "./secret";
import { slug_of } from "./slug";
import { type Answer, type Failure, call, failure_from } from "./wire";
import { t } from "./words";

export const changing = signal<{ what: "rename" | "rotate" | "remove"; device: Device } | null>(
	null,
);
export const notice = signal<{ title: string; body: string } | null>(null);

const rotated = signal<Issued | null>(null);
const FOLLOW_MS = 500;
const FOLLOW_ROUNDS = 20;

function close() {
	changing.value = null;
	rotated.value = null;
}

/* "3/12" or "12/12;ms=180". */
function told(generation: string | null, converged: string | null): Change | null {
	const m = /^(\d+)\/(\d+)/.exec(converged ?? "");
	if (!m) return null;
	const [applied, live] = [Number(m[1]), Number(m[2])];
	return { generation: generation ?? "", applied, live, converged: applied >= live };
}

/* Keeps the notice true until every live node dropped the peer, or it is gone. */
async function follow(title: string, headers: Headers) {
	let change = told(headers.get("qmesh-generation"), headers.get("qmesh-converged"));
	for (let round = 0; ; round++) {
		const body = change?.live
			? t("removed.on", { k: change.applied, n: change.live })
			: t("removed.soon");
		if (round > 0 && notice.value?.title !== title) return;
		notice.value = { title, body };
		if (round === 0 || change?.converged) announce(title + ". " + body);
		if (!change?.generation || change.converged || round >= FOLLOW_ROUNDS) return;
		await new Promise((r) => setTimeout(r, FOLLOW_MS));
		try {
			change = (await call<Change>("GET", "/api/mesh/changes/" + change.generation)).value;
		} catch {
			return;
		}
	}
}

interface AskProps {
	title: string;
	go: string;
	going?: string;
	danger?: boolean;
	label: string;
	run: () => Promise<void>;
	children: ComponentChildren;
}

/* A dialog with one action and room for its refusal. */
function Ask({ title, go, going, danger, label, run, children }: AskProps) {
	const busy = useSignal(false);
	const failure = useSignal<Failure | null>(null);
	const free_at_ms = useSignal(0);
	const wait_s = useCountdown(free_at_ms.value);
	const submit = async () => {
		busy.value = true;
		failure.value = null;
		try {
			await run();
		} catch (e) {
			const f = failure_from(e);
			if (f.retry_ms) free_at_ms.value = Date.now() + f.retry_ms;
			if (!note_failure(f)) failure.value = f;
			if (f.reason === "NOT_FOUND") void refresh();
		} finally {
			busy.value = false;
		}
	};
	return (
		<Modal title={title} small on_close={close}>
			<form
				noValidate
				onSubmit={(e) => {
					e.preventDefault();
					if (!busy.value && !wait_s) void submit();
				}}
			>
				{children}
				{failure.value && (
					<FailureBox failure={failure.value} label={label} wait_s={wait_s} />
				)}
				<div class="actions">
					<button type="button" class="secondary" autofocus={danger} onClick={close}>
						{t("dialog.cancel")}
					</button>
					<button
						type="submit"
						class={danger ? "danger" : "primary"}
						aria-disabled={busy.value || wait_s > 0 ? "true" : undefined}
					>
						{wait_s ? t("add.wait", { n: wait_s }) : busy.value && going ? going : go}
					</button>
				</div>
			</form>
		</Modal>
	);
}

function Rename({ device }: { device: Device }) {
	const label = useSignal(device.label);
	const slug = slug_of(label.value);
	return (
		<Ask
			title={t("rename.title", { label: device.label })}
			go={t("rename.go")}
			label={label.value}
			run={async () => {
				await call("PATCH", "/api/mesh/devices/" + device.id, { label: label.value });
				announce(t("rename.done", { label: label.value }));
				close();
				void refresh();
			}}
		>
			<div class="field">
				<label class="field-name" for="rename-label">
					{t("add.label")}
				</label>
				<input
					id="rename-label"
					autofocus
					autocomplete="off"
					spellcheck={false}
					maxLength={256}
					value={label.value}
					aria-describedby="rename-hint"
					onInput={(e) => (label.value = e.currentTarget.value)}
				/>
				<p id="rename-hint" class="hint">
					{slug && (
						<>
							{t("add.preview", { name: "" })}
							<code>{slug}.quazzar.mesh</code>.{" "}
						</>
					)}
					{t("rename.note")}
				</p>
			</div>
		</Ask>
	);
}

function Rotate({ device }: { device: Device }) {
	const immediate = useSignal(false);
	const own_key = useSignal("");
	return (
		<Ask
			title={t("rotate.title", { label: device.label })}
			go={t("rotate.go")}
			going={t("add.going")}
			label={device.label}
			run={async () => {
				const key = own_key.value.trim();
				const answer = await call<Issued>(
					"POST",
					"/api/mesh/devices/" + device.id + ":rotate",
					{ immediate: immediate.value, ...(key ? { public_key: key } : {}) },
				);
				rotated.value = answer.value;
				devices.value = devices.value.map((d) =>
					d.id === device.id ? answer.value.device : d,
				);
				void refresh();
			}}
		>
			<p>{t("rotate.body")}</p>
			<label class="check">
				<input
					type="checkbox"
					checked={immediate.value}
					onChange={(e) => (immediate.value = e.currentTarget.checked)}
				/>
				<span>{t("rotate.now")}</span>
			</label>
			<details class="advanced">
				<summary>{t("add.advanced")}</summary>
				<KeyField value={own_key} id="rotate-key" />
			</details>
		</Ask>
	);
}

function Remove({ device }: { device: Device }) {
	return (
		<Ask
			title={t("remove.title", { label: device.label })}
			go={t("remove.go")}
			going={t("remove.going")}
			label={device.label}
			danger
			run={async () => {
				const answer: Answer<void> = await call("DELETE", "/api/mesh/devices/" + device.id);
				devices.value = devices.value.filter((d) => d.id !== device.id);
				close();
				void refresh();
				void follow(t("removed.title", { label: device.label }), answer.headers);
			}}
		>
			<p>{t("remove.body", { ip: device.mesh_ip })}</p>
		</Ask>
	);
}

export function Changes() {
	const c = changing.value;
	if (!c) return null;
	if (rotated.value) return <Secret issued={rotated.value} rotated on_done={close} />;
	if (c.what === "rename") return <Rename device={c.device} />;
	if (c.what === "rotate") return <Rotate device={c.device} />;
	return <Remove device={c.device} />;
}
