/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sign in: as a page at first, as a dialog above the page when a session ends
 * while someone works. The tenant is asked for only when the server asks.
 */
import { useSignal } from "@preact/signals";
import { FailureBox, useCountdown } from "./failure";
import { Brand } from "./masthead";
import { Modal } from "./modal";
import { me, sign_in, signed_out } from "./model";
import { type Failure, failure_from } from "./wire";
import { t } from "./words";

function asks_tenant(f: Failure): boolean {
	return f.reason === "FIELD_INVALID" && f.fields.some((v) => v.field === "tenant");
}

function SigninForm({ known }: { known: string }) {
	const user = useSignal(known);
	const password = useSignal("");
	const tenant = useSignal(known ? (me.value?.tenant ?? "") : "");
	const tenant_shown = useSignal(false);
	const busy = useSignal(false);
	const failure = useSignal<Failure | null>(null);
	const free_at_ms = useSignal(0);
	const wait_s = useCountdown(free_at_ms.value);
	const submit = async () => {
		busy.value = true;
		failure.value = null;
		try {
			await sign_in(user.value, password.value, tenant_shown.value ? tenant.value : "");
		} catch (e) {
			const f = failure_from(e);
			if (f.retry_ms) free_at_ms.value = Date.now() + f.retry_ms;
			const first = asks_tenant(f) && !tenant_shown.value;
			if (asks_tenant(f)) tenant_shown.value = true;
			if (!first) failure.value = f;
		} finally {
			password.value = "";
			busy.value = false;
		}
	};
	return (
		<form
			noValidate
			class="signin-form"
			onSubmit={(e) => {
				e.preventDefault();
				if (!busy.value && !wait_s) void submit();
			}}
		>
			{tenant_shown.value && (
				<div class="field">
					<label class="field-name" for="signin-tenant">
						{t("signin.tenant")}
					</label>
					<input
						id="signin-tenant"
						autofocus
						autocomplete="organization"
						maxLength={63}
						value={tenant.value}
						aria-describedby="signin-tenant-hint"
						onInput={(e) => (tenant.value = e.currentTarget.value)}
					/>
					<p id="signin-tenant-hint" class="hint">
						{t("signin.tenant_hint")}
					</p>
				</div>
			)}
			<div class="field">
				<label class="field-name" for="signin-user">
					{t("signin.user")}
				</label>
				<input
					id="signin-user"
					autofocus={!known}
					autocomplete="username"
					autocapitalize="none"
					spellcheck={false}
					maxLength={128}
					value={user.value}
					onInput={(e) => (user.value = e.currentTarget.value)}
				/>
			</div>
			<div class="field">
				<label class="field-name" for="signin-password">
					{t("signin.password")}
				</label>
				<input
					id="signin-password"
					type="password"
					autofocus={!!known}
					autocomplete="current-password"
					maxLength={1024}
					value={password.value}
					onInput={(e) => (password.value = e.currentTarget.value)}
				/>
			</div>
			{failure.value && <FailureBox failure={failure.value} wait_s={wait_s} />}
			<button
				type="submit"
				class="primary wide"
				aria-disabled={busy.value || wait_s > 0 ? "true" : undefined}
			>
				{wait_s
					? t("add.wait", { n: wait_s })
					: busy.value
						? t("signin.going")
						: t("signin.go")}
			</button>
		</form>
	);
}

export function SigninPage() {
	return (
		<main class="signin">
			<div class="card">
				<Brand />
				<h1>{t("signin.title")}</h1>
				<p class="muted">{t("signin.lead")}</p>
				<SigninForm known="" />
			</div>
		</main>
	);
}

export function SigninAgain() {
	if (!signed_out.value) return null;
	return (
		<Modal title={t("again.title")} small>
			<p>{t("again.body")}</p>
			<SigninForm known={me.value?.user ?? ""} />
			<p>
				<button type="button" class="link" onClick={() => location.reload()}>
					{t("again.leave")}
				</button>
			</p>
		</Modal>
	);
}
