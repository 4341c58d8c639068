/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A refusal in plain words: what happened, what to do. The server sends reason
 * and values, the catalogue has the prose. Keys of the catalogue are reasons,
 * so a reason without a text falls to the general one with the request's code.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import type { Plan } from "./contract";
import { copy_text } from "./copy";
import { me, state } from "./model";
import type { Failure } from "./wire";
import { type Values, has_word, t } from "./words";

const next_plans: Record<Plan, { plan: Plan; cap: number }> = {
	PLAN_UNSPECIFIED: { plan: "PLAN_PRO", cap: 20 },
	PLAN_FREE: { plan: "PLAN_PRO", cap: 20 },
	PLAN_PRO: { plan: "PLAN_TEAM", cap: 100 },
	PLAN_TEAM: { plan: "PLAN_ENTERPRISE", cap: 0 },
	PLAN_ENTERPRISE: { plan: "PLAN_ENTERPRISE", cap: 0 },
};

/* "PLAN_PRO", "pro" or "Pro" -> the enum's name. */
function plan_of(text: string | undefined): Plan {
	const name = "PLAN_" + (text ?? "").toUpperCase().replace(/^PLAN_/, "");
	if (name in next_plans && name !== "PLAN_UNSPECIFIED") return name as Plan;
	return state.value?.plan ?? me.value?.plan ?? "PLAN_UNSPECIFIED";
}

function values_of(f: Failure, label: string): Values {
	const plan = plan_of(f.metadata.plan);
	const next = next_plans[plan];
	return {
		label,
		tenant: me.value?.tenant ?? "",
		plan: t(("plan." + plan) as "plan.PLAN_FREE"),
		cap: f.metadata.limit ?? state.value?.devices_cap ?? "",
		next_plan: t(("plan." + next.plan) as "plan.PLAN_FREE"),
		next_cap: next.cap ? t("fail.cap_devices", { n: next.cap }) : t("fail.cap_open"),
		cidr: f.metadata.range ?? state.value?.range ?? "",
		id: f.request_id,
		n: Math.ceil(f.retry_ms / 1000),
		detail: f.fields.map((v) => v.description).join(" ") || f.message,
	};
}

export function fail_title(f: Failure, label = ""): string {
	const key = "fail." + f.reason;
	return t(has_word(key) ? key : "fail.other", values_of(f, label));
}

export function fail_body(f: Failure, label = ""): string {
	const key = "fail." + f.reason + ".body";
	return t(has_word(key) ? key : "fail.other.body", values_of(f, label));
}

/* Seconds left until a moment, counted down while shown; 0: over. */
export function useCountdown(until_ms: number): number {
	const left_s = useSignal(0);
	useEffect(() => {
		const count = () => {
			left_s.value = Math.max(0, Math.ceil((until_ms - Date.now()) / 1000));
		};
		count();
		if (!left_s.value) return;
		const timer = setInterval(count, 250);
		return () => clearInterval(timer);
	}, [until_ms]);
	return left_s.value;
}

interface FailureProps {
	failure: Failure;
	label?: string;
	wait_s?: number;
	children?: ComponentChildren;
}

/* Assertive, and takes the focus when it appears. */
export function FailureBox({ failure, label, wait_s, children }: FailureProps) {
	const box = useRef<HTMLDivElement>(null);
	useEffect(() => box.current?.focus(), [failure]);
	const limited = failure.reason === "RATE_LIMITED";
	return (
		<div class="failure" role="alert" tabIndex={-1} ref={box} data-reason={failure.reason}>
			<strong>{fail_title(failure, label)}</strong>
			{limited ? (
				/* The countdown is not read out each second. */
				<p aria-live="off">
					{wait_s ? t("fail.RATE_LIMITED.body", { n: wait_s }) : t("fail.RATE_LIMITED.now")}
				</p>
			) : (
				<p>{fail_body(failure, label)}</p>
			)}
			{children}
			{(failure.reason === "INTERNAL" || !has_word("fail." + failure.reason)) && (
				<button
					type="button"
					class="link"
					onClick={() =>
						void copy_text(
							[failure.reason, failure.status, failure.message, failure.request_id].join(" "),
						)
					}
				>
					{t("fail.copy")}
				</button>
			)}
		</div>
	);
}
