/* SPDX-License-Identifier: Apache-2.0 */
/* A device's status in words; the shapes and colours are pill.tsx's. */
import { ago } from "./ago";
import type { Device } from "./contract";
import { node_name, now_ms } from "./model";
import { has_word, t } from "./words";

export function status_text(d: Device): string {
	const node = node_name(d.node_id);
	if (d.status === "DEVICE_STATUS_OFFLINE" && d.last_seen)
		return t("status.offline_since", { ago: ago(d.last_seen, now_ms.value) });
	if (d.status === "DEVICE_STATUS_NOT_APPLIED" && node)
		return t("status.not_applied_on", { node });
	if (d.status === "DEVICE_STATUS_UNKNOWN" && node) return t("status.unreachable", { node });
	const key = "status." + d.status;
	return t(has_word(key) ? key : "status.DEVICE_STATUS_UNSPECIFIED");
}
