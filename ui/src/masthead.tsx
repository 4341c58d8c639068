/* SPDX-License-Identifier: Apache-2.0 */
/* Top of the page: where one is, whose mesh it is, how full the plan is. */
import { signal } from "@preact/signals";
import { me, nodes, sign_out, state } from "./model";
import { t } from "./words";

const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

function stored_theme(): Theme {
	try {
		const kept = localStorage.getItem("qmesh-theme") as Theme;
		return THEMES.includes(kept) ? kept : "auto";
	} catch {
		return "auto";
	}
}

const theme = signal<Theme>(stored_theme());

export function apply_theme() {
	document.documentElement.dataset.theme = theme.value;
}

function next_theme() {
	theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
	try {
		localStorage.setItem("qmesh-theme", theme.value);
	} catch {
		/* Private windows may refuse: the choice then lasts as long as the page. */
	}
	apply_theme();
}

export function Brand() {
	return (
		<svg class="brand" viewBox="0 0 32 32" aria-hidden="true">
			<path d="M8 16L16 8L24 16L16 24z" />
			<circle cx="8" cy="16" r="3.5" />
			<circle cx="16" cy="8" r="3.5" />
			<circle cx="24" cy="16" r="3.5" />
			<circle cx="16" cy="24" r="3.5" />
		</svg>
	);
}

/* At 80 % or one place left the meter turns amber, full is red. */
function Meter() {
	const s = state.value;
	if (!s) return null;
	const { devices_used: used, devices_cap: cap } = s;
	if (!cap) return <span class="meter-text">{t("meter.open", { n: used })}</span>;
	const left = Math.max(0, cap - used);
	const look = left === 0 ? "full" : left === 1 || used / cap >= 0.8 ? "near" : "fine";
	return (
		<div class={"meter " + look}>
			<span class="meter-text" id="meter-text">
				{t("meter.capped", { used, cap })}
			</span>
			<svg
				role="meter"
				aria-labelledby="meter-text"
				aria-valuemin={0}
				aria-valuemax={cap}
				aria-valuenow={used}
				viewBox="0 0 100 6"
				preserveAspectRatio="none"
			>
				<rect width="100" height="6" class="bed" />
				<rect width={Math.min(100, (100 * used) / cap)} height="6" class="level" />
			</svg>
			{look !== "fine" && (
				<span class="meter-left">
					{left === 0 ? t("meter.full") : t("meter.left", { n: left })}
				</span>
			)}
		</div>
	);
}

export function Masthead() {
	const plan = state.value?.plan ?? me.value?.plan ?? "PLAN_UNSPECIFIED";
	const plan_name = t(("plan." + plan) as "plan.PLAN_FREE");
	return (
		<header class="masthead">
			<div class="masthead-in">
				<Brand />
				<nav aria-label={t("nav.label")}>
					<ol class="path">
						<li>{t("nav.vpn")}</li>
						<li aria-current="page">{t("nav.mesh")}</li>
					</ol>
				</nav>
				<div class="facts">
					{me.value && <bdi class="tenant">{me.value.tenant}</bdi>}
					{plan_name && <span class="badge">{t("plan.badge", { plan: plan_name })}</span>}
					<Meter />
					{nodes.value.length > 0 && (
						<span class="muted">{t("head.nodes", { n: nodes.value.length })}</span>
					)}
				</div>
				<div class="person">
					{me.value && <bdi class="muted">{me.value.user}</bdi>}
					<button
						type="button"
						class="icon"
						aria-label={t("head.theme", { theme: t(`theme.${theme.value}`) })}
						title={t("head.theme", { theme: t(`theme.${theme.value}`) })}
						onClick={next_theme}
					>
						<svg viewBox="0 0 16 16" aria-hidden="true">
							<circle cx="8" cy="8" r="5.5" />
							<path d="M8 2.5a5.5 5.5 0 0 1 0 11z" class="fill" />
						</svg>
					</button>
					<button type="button" class="quiet" onClick={() => void sign_out()}>
						{t("head.signout")}
					</button>
				</div>
			</div>
		</header>
	);
}
