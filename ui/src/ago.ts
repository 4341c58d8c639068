/* SPDX-License-Identifier: Apache-2.0 */
/* Times as people say them. */
import { language, t } from "./words";

export function ago(time: string | null | undefined, now_ms: number): string {
	if (!time) return t("ago.never");
	const s = Math.max(0, (now_ms - Date.parse(time)) / 1000);
	if (s < 60) return t("ago.now");
	if (s < 3600) return t("ago.minutes", { n: Math.floor(s / 60) });
	if (s < 86400) return t("ago.hours", { n: Math.floor(s / 3600) });
	return t("ago.days", { n: Math.floor(s / 86400) });
}

/* What is left, told a little short rather than long. */
export function left(s: number): string {
	if (s < 60) return t("left.soon");
	if (s < 7200) return t("left.minutes", { n: Math.floor(s / 60) });
	return t("left.hours", { n: Math.floor(s / 3600) });
}

const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
const hour = new Intl.DateTimeFormat(language, { timeStyle: "short" });

export function exact(time: string | null | undefined): string {
	return time ? full.format(new Date(time)) : "";
}

export function clock_time(time: string): string {
	return hour.format(new Date(time));
}
