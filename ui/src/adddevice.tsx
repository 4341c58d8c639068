/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Add device: name it, pick what it is, Generate; then Secret shows the config.
 * The form outlives the dialog and the session, so nothing is typed twice.
 */
import { batch, computed, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { announce } from "./announce";
import type { DeviceType, Issued, NewDevice } from "./contract";
import { FailureBox, fail_body, fail_title, useCountdown } from "./failure";
import { Modal } from "./modal";
import { cp_down, devices, nodes, note_failure, refresh, state } from "./model";
import { Secret } from "./secret";
import { label_fault, slug_of } from "./slug";
import { TypeIcon } from "./typeicon";
import { type Failure, call, failure_from } from "./wire";
import { t } from "./words";

const TYPES: DeviceType[] = [
	"DEVICE_TYPE_IPHONE",
	"DEVICE_TYPE_ANDROID",
	"DEVICE_TYPE_LAPTOP",
	"DEVICE_TYPE_OTHER",
];
const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

export const adding = signal(false);

const label = signal("");
const type = signal<DeviceType>("DEVICE_TYPE_IPHONE");
const keepalive = signal(true);
const dns = signal(false);
const own_key = signal("");
/* The Control Panel's own page has no node of its own: one picks the home there. */
const home = signal("");
const homes = computed(() => (state.value?.node_id === "" ? nodes.value : []));
const busy = signal(false);
const failure = signal<Failure | null>(null);
const free_at_ms = signal(0);
const issued = signal<Issued | null>(null);
/* One key per wish: a retry after a lost answer cannot make a second device. */
let wish = { body: "", key: "" };

const label_reasons = ["LABEL_TAKEN", "LABEL_INVALID", "LABEL_RESERVED"];

function idempotency_key(body: string): string {
	if (wish.body !== body) {
		const bytes = crypto.getRandomValues(new Uint8Array(16));
		wish = { body, key: [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("") };
	}
	return wish.key;
}

function clear_form() {
	batch(() => {
		label.value = "";
		own_key.value = "";
		keepalive.value = true;
		dns.value = false;
		failure.value = null;
		issued.value = null;
		wish = { body: "", key: "" };
	});
}

function close() {
	if (issued.value) clear_form();
	failure.value = null;
	adding.value = false;
}

function local_failure(reason: string): Failure {
	return {
		status: 400,
		reason,
		message: "",
		metadata: {},
		fields: [],
		retry_ms: 0,
		request_id: "",
	};
}

function dns_serves(): boolean {
	return ["serving", "coredns"].includes(state.value?.dns_status ?? "");
}

async function generate() {
	const fault = label_fault(label.value);
	if (fault) {
		failure.value = local_failure(fault);
		return;
	}
	const body: NewDevice = {
		label: label.value,
		type: type.value,
		keepalive: keepalive.value,
		...(dns_serves() && dns.value ? { dns: true } : {}),
		...(homes.value.length > 1 ? { node_id: home.value || homes.value[0].id } : {}),
		...(own_key.value ? { public_key: own_key.value.trim() } : {}),
	};
	busy.value = true;
	failure.value = null;
	try {
		const answer = await call<Issued>("POST", "/api/mesh/devices", body, {
			"idempotency-key": idempotency_key(JSON.stringify(body)),
		});
		if (!answer.value.config) {
			/* A repeated wish whose device has connected since: nothing is left to show. */
			announce(t("secret.connected", { label: answer.value.device.label }));
			clear_form();
			adding.value = false;
			void refresh();
			return;
		}
		batch(() => {
			const { device } = answer.value;
			issued.value = answer.value;
			/* In the list at once, and once: a refresh may come a moment later, or came before. */
			devices.value = [...devices.value.filter((d) => d.id !== device.id), device];
		});
		void refresh();
	} catch (e) {
		const f = failure_from(e);
		if (f.retry_ms) free_at_ms.value = Date.now() + f.retry_ms;
		if (!note_failure(f)) failure.value = f;
	} finally {
		busy.value = false;
	}
}

function LabelField() {
	const input = useRef<HTMLInputElement>(null);
	const slug = slug_of(label.value);
	const fault = failure.value && label_reasons.includes(failure.value.reason) ? failure.value : null;
	const suggestion = fault?.metadata.suggestion;
	useEffect(() => {
		if (fault) input.current?.focus();
	}, [fault]);
	return (
		<div class="field">
			<label class="field-name" for="add-label">
				{t("add.label")}
			</label>
			<input
				id="add-label"
				ref={input}
				autofocus
				autocomplete="off"
				spellcheck={false}
				maxLength={256}
				required
				value={label.value}
				aria-invalid={fault ? "true" : undefined}
				aria-describedby={fault ? "add-label-error" : "add-label-hint"}
				onInput={(e) => {
					label.value = e.currentTarget.value;
					if (fault) failure.value = null;
				}}
			/>
			{fault ? (
				<div id="add-label-error" class="field-error" role="alert" data-reason={fault.reason}>
					<strong>{fail_title(fault, label.value)}</strong>{" "}
					{suggestion ? (
						<span>
							{t("fail.LABEL_TAKEN.for")}{" "}
							<button
								type="button"
								class="link"
								onClick={() => {
									label.value = suggestion;
									failure.value = null;
									input.current?.focus();
								}}
							>
								{suggestion}
							</button>
							.
						</span>
					) : (
						<span>{fail_body(fault, label.value)}</span>
					)}
				</div>
			) : (
				<p id="add-label-hint" class="hint">
					{slug ? (
						<>
							{t("add.preview", { name: "" })}
							<code>{slug}.quazzar.mesh</code>
						</>
					) : (
						t("add.label_hint")
					)}
				</p>
			)}
		</div>
	);
}

function TypeField() {
	return (
		<fieldset class="types">
			<legend class="field-name">{t("add.type")}</legend>
			{TYPES.map((one) => (
				<label key={one} class={type.value === one ? "type on" : "type"}>
					<input
						type="radio"
						name="type"
						value={one}
						checked={type.value === one}
						onChange={() => (type.value = one)}
					/>
					<TypeIcon type={one} />
					<span>{t(("type." + one) as "type.DEVICE_TYPE_OTHER")}</span>
				</label>
			))}
		</fieldset>
	);
}

function HomeField() {
	if (homes.value.length < 2) return null;
	return (
		<label class="field">
			<span class="field-name">{t("add.node")}</span>
			<select value={home.value} onChange={(e) => (home.value = e.currentTarget.value)}>
				{homes.value.map((n) => (
					<option key={n.id} value={n.id}>
						{n.label}
					</option>
				))}
			</select>
		</label>
	);
}

interface SwitchProps {
	on: { value: boolean };
	name: string;
	hint: string;
}

function Switch({ on, name, hint }: SwitchProps) {
	return (
		<label class="switch">
			<input
				type="checkbox"
				role="switch"
				checked={on.value}
				onChange={(e) => (on.value = e.currentTarget.checked)}
			/>
			<span class="track" aria-hidden="true" />
			<span>
				{name}
				<span class="hint">{hint}</span>
			</span>
		</label>
	);
}

export function KeyField({ value, id }: { value: { value: string }; id: string }) {
	const bad = value.value.trim() !== "" && !KEY.test(value.value.trim());
	return (
		<div class="field">
			<label class="field-name" for={id}>
				{t("add.key")}
			</label>
			<input
				id={id}
				class="mono"
				autocomplete="off"
				spellcheck={false}
				maxLength={64}
				value={value.value}
				aria-invalid={bad ? "true" : undefined}
				aria-describedby={id + "-hint"}
				onInput={(e) => (value.value = e.currentTarget.value)}
			/>
			<p id={id + "-hint"} class={bad ? "field-error" : "hint"}>
				{bad ? t("add.key_bad") : t("add.key_hint")}
			</p>
		</div>
	);
}

function manage_devices() {
	close();
	document.getElementById("devices-title")?.focus();
}

function AddForm() {
	const wait_s = useCountdown(free_at_ms.value);
	const f = failure.value;
	const shown = f && !label_reasons.includes(f.reason) ? f : null;
	const touched = label.value !== "" || own_key.value !== "";
	return (
		<Modal title={t("add.title")} loose={!touched} on_close={close}>
			<form
				id="add-form"
				noValidate
				onSubmit={(e) => {
					e.preventDefault();
					if (!busy.value && !wait_s) void generate();
				}}
			>
				{cp_down.value && !shown && (
					<div class="note warn">
						<strong>{t("banner.cp")}</strong>
						<p>{t("fail.CP_UNREACHABLE.body")}</p>
					</div>
				)}
				<TypeField />
				<LabelField />
				<HomeField />
				<Switch on={keepalive} name={t("add.keepalive")} hint={t("add.keepalive_hint")} />
				{dns_serves() && <Switch on={dns} name={t("add.dns")} hint={t("add.dns_hint")} />}
				<details class="advanced" open={own_key.value !== ""}>
					<summary>{t("add.advanced")}</summary>
					<KeyField value={own_key} id="add-key" />
				</details>
				{shown && (
					<FailureBox failure={shown} label={label.value} wait_s={wait_s}>
						{shown.reason === "DEVICE_CAP_REACHED" && (
							<button type="button" class="link" onClick={manage_devices}>
								{t("fail.cap_manage")}
							</button>
						)}
					</FailureBox>
				)}
				<div class="actions">
					<button type="button" class="secondary" onClick={close}>
						{t("dialog.cancel")}
					</button>
					<button
						type="submit"
						class="primary"
						aria-disabled={busy.value || wait_s > 0 ? "true" : undefined}
					>
						{wait_s
							? t("add.wait", { n: wait_s })
							: busy.value
								? t("add.going")
								: t("add.go")}
					</button>
				</div>
			</form>
		</Modal>
	);
}

export function AddDevice() {
	if (!adding.value) return null;
	if (!issued.value) return <AddForm />;
	return (
		<Secret
			issued={issued.value}
			on_done={close}
			on_more={() => {
				clear_form();
				adding.value = true;
			}}
		/>
	);
}
