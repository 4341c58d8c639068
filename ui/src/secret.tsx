/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one look at a new config: code, file, text, and the pill that turns green
 * in place. The config lives in this component's props only: no storage, no
 * address that could be fetched again, no history. Leaving asks once, unless
 * the device has connected.
 */
import { useEffect, useRef } from "preact/hooks";
import { useComputed, useSignal } from "@preact/signals";
import type { Issued } from "./contract";
import { announce } from "./announce";
import { Copy } from "./copy";
import { Modal } from "./modal";
import { devices, refresh, state } from "./model";
import { WaitPill } from "./pill";
import { QrView, parse_code } from "./qrview";
import { tunnel_name } from "./slug";
import { has_word, t } from "./words";

const HELP_AFTER_MS = 45_000;
const LOOK_EVERY_MS = 2000;

/* A blob lives as long as the click needs it. */
function save_conf(config: string, name: string) {
	const url = URL.createObjectURL(new Blob([config], { type: "application/octet-stream" }));
	const link = document.createElement("a");
	link.href = url;
	link.download = name + ".conf";
	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/* Back must ask too: one history entry stands guard while the secret is shown. */
function useGuard(armed: boolean, ask: () => void) {
	const now = useRef({ armed, ask });
	now.current = { armed, ask };
	useEffect(() => {
		const leave = (e: BeforeUnloadEvent) => {
			if (now.current.armed) e.preventDefault();
		};
		const back = () => {
			if (now.current.armed) history.pushState({ guard: true }, "");
			now.current.ask();
		};
		history.pushState({ guard: true }, "");
		addEventListener("beforeunload", leave);
		addEventListener("popstate", back);
		return () => {
			removeEventListener("beforeunload", leave);
			removeEventListener("popstate", back);
			if (history.state?.guard) history.back();
		};
	}, []);
}

function Help({ late }: { late: boolean }) {
	const endpoint = state.value?.endpoint;
	return (
		<details class="help" open={late}>
			<summary>{t("secret.help")}</summary>
			<ul>
				<li>{t("secret.help_switch")}</li>
				<li>
					{endpoint ? t("secret.help_udp", { endpoint }) : t("secret.help_udp_plain")}
				</li>
				<li>{t("secret.help_clock")}</li>
				<li>{t("secret.help_old")}</li>
			</ul>
		</details>
	);
}

interface SecretProps {
	issued: Issued;
	rotated?: boolean;
	on_done: () => void;
	on_more?: () => void;
}

export function Secret({ issued, rotated, on_done, on_more }: SecretProps) {
	const { config, qr_svg, device } = issued;
	const asking = useSignal<null | (() => void)>(null);
	const late = useSignal(false);
	/* Once green it stays so: an idle device has used its key all the same. */
	const seen = useSignal(false);
	const status = useComputed(() => {
		const d = devices.value.find((x) => x.id === device.id);
		const up = d?.status === "DEVICE_STATUS_CONNECTED" && !d.pending_until;
		return up && d.key_version >= device.key_version;
	});
	if (status.value) seen.value = true;
	const on = seen.value;
	const secret = !on && config !== "";
	const name = tunnel_name(device.slug, device.id);
	/* With a key of one's own there is no code; without one it may be too long. */
	const own = !/^PrivateKey/m.test(config);
	const drawable = !own && parse_code(qr_svg) !== null;

	const leave = (go: () => void) => {
		if (secret) asking.value = go;
		else go();
	};
	useGuard(secret, () => leave(on_done));

	useEffect(() => {
		if (on) announce(t("secret.connected", { label: device.label }));
	}, [on]);
	useEffect(() => {
		if (on) return;
		const look = setInterval(() => document.hidden || void refresh(), LOOK_EVERY_MS);
		const help = setTimeout(() => (late.value = true), HELP_AFTER_MS);
		return () => {
			clearInterval(look);
			clearTimeout(help);
		};
	}, [on]);

	const how = "secret.how." + device.type;
	const title = rotated ? "secret.rotated" : "secret.title";
	const wait = rotated ? "secret.waiting_new" : "secret.waiting";
	return (
		<Modal title={t(title, { label: device.label })} on_close={() => leave(on_done)}>
			<div class="secret" data-type={device.type}>
				<div class="secret-wait">
					<WaitPill
						on={on}
						text={on ? t("secret.connected", { label: device.label }) : t(wait)}
					/>
				</div>
				{drawable && (
					<div class="qr-card">
						<QrView svg={qr_svg} label={t("secret.qr")} />
					</div>
				)}
				<div class="secret-side">
					{!own && !drawable && (
						<div class="note">
							<strong>{t("secret.toolong")}</strong>
							<p>{t("secret.toolong_body")}</p>
						</div>
					)}
					<p>
						{own
							? t("secret.own_body")
							: t(has_word(how) ? how : "secret.how.DEVICE_TYPE_OTHER")}
					</p>
					<div class="field">
						<span class="field-name">{t("secret.name")}</span>
						<span class="value">
							<code>{name}</code>
							<Copy text={name} what={t("secret.name_what")} />
						</span>
					</div>
					<button
						type="button"
						class={device.type === "DEVICE_TYPE_LAPTOP" ? "primary" : "secondary"}
						onClick={() => save_conf(config, name)}
					>
						{t("secret.download")}
					</button>
					<details class="config">
						<summary>{t("secret.text")}</summary>
						<div class="config-box">
							<pre tabIndex={0} aria-label={t("secret.config_what")}>
								{config}
							</pre>
							<Copy text={config} what={t("secret.config_what")} />
						</div>
					</details>
					{!own && (
						<div class="note warn">
							<strong>{t("secret.once")}</strong>
							<p>{t("secret.once_body")}</p>
						</div>
					)}
					{!on && <Help late={late.value} />}
				</div>
			</div>
			<div class="actions">
				{on_more && (
					<button type="button" class="secondary" onClick={() => leave(on_more)}>
						{t("secret.more")}
					</button>
				)}
				<button type="button" class="primary" onClick={() => leave(on_done)}>
					{t("secret.done")}
				</button>
			</div>
			{asking.value && (
				<Modal title={t("leave.title")} small alert on_close={() => (asking.value = null)}>
					<p>{t("leave.body")}</p>
					<div class="actions">
						<button type="button" class="danger" onClick={() => asking.value?.()}>
							{t("leave.go")}
						</button>
						<button
							type="button"
							class="primary"
							autofocus
							onClick={() => (asking.value = null)}
						>
							{t("leave.stay")}
						</button>
					</div>
				</Modal>
			)}
		</Modal>
	);
}
