/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a device is not connected, and what to do: asked of the server when a
 * person asks, never by itself. The words are the daemon's own.
 */
import { useEffect } from "preact/hooks";
import { signal, useSignal } from "@preact/signals";
import type { Device, Why } from "./contract";
import { announce } from "./announce";
import { FailureBox } from "./failure";
import { Modal } from "./modal";
import { devices, note_failure, refresh } from "./model";
import { Pill } from "./pill";
import { type Failure, call, failure_from } from "./wire";
import { t } from "./words";

const asked = signal<Device | null>(null);

export function WhyButton({ device }: { device: Device }) {
	if (device.status === "DEVICE_STATUS_CONNECTED") return null;
	return (
		<button
			type="button"
			class="quiet why"
			aria-haspopup="dialog"
			aria-label={t("why.of", { label: device.label })}
			onClick={() => (asked.value = device)}
		>
			{t("why.do")}
		</button>
	);
}

function Explain({ device }: { device: Device }) {
	const why = useSignal<Why | null>(null);
	const failure = useSignal<Failure | null>(null);
	const close = () => (asked.value = null);
	const look = async () => {
		try {
			const path = "/api/mesh/devices/" + device.id + "/why";
			const told = (await call<Why>("GET", path)).value;
			why.value = told;
			if (asked.value === device) announce(told.evidence + " " + told.next_step);
		} catch (e) {
			const f = failure_from(e);
			if (!note_failure(f)) failure.value = f;
			if (f.reason === "NOT_FOUND") void refresh();
		}
	};
	useEffect(() => void look(), []);
	/* The list goes on beside it: the pill may turn green while one reads. */
	const now = devices.value.find((d) => d.id === device.id) ?? device;
	return (
		<Modal title={t("why.title", { label: device.label })} small loose on_close={close}>
			<p>
				<Pill device={now} />
			</p>
			{failure.value ? (
				<FailureBox failure={failure.value} label={device.label} />
			) : why.value ? (
				<div class="told" data-reason={why.value.reason}>
					<p>{why.value.evidence}</p>
					<div class="note">
						<strong>{t("why.next")}</strong>
						<p>{why.value.next_step}</p>
					</div>
					<p class="hint">
						{t("why.reason")} <code>{why.value.reason}</code>
					</p>
				</div>
			) : (
				<p class="muted">{t("why.asking")}</p>
			)}
			<div class="actions">
				<button type="button" class="primary" onClick={close}>
					{t("dialog.close")}
				</button>
			</div>
		</Modal>
	);
}

export function Explanation() {
	return asked.value && <Explain key={asked.value.id} device={asked.value} />;
}
