/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status of a device: text, shape and colour, so that no one of them has
 * to be seen. Shapes: dashed ring, dot, half dot, ring, triangle, hatched box.
 */
import type { Device, DeviceStatus } from "./contract";
import { status_text } from "./status";

const looks: Record<DeviceStatus, string> = {
	DEVICE_STATUS_UNSPECIFIED: "unknown",
	DEVICE_STATUS_WAITING: "waiting",
	DEVICE_STATUS_CONNECTED: "connected",
	DEVICE_STATUS_IDLE: "idle",
	DEVICE_STATUS_OFFLINE: "offline",
	DEVICE_STATUS_NOT_APPLIED: "failed",
	DEVICE_STATUS_UNKNOWN: "unknown",
	DEVICE_STATUS_SUSPENDED: "offline",
};

function Shape({ look }: { look: string }) {
	const part = {
		waiting: <circle cx="6" cy="6" r="4.5" class="ring dashed" />,
		connected: <circle cx="6" cy="6" r="5" class="fill" />,
		idle: (
			<>
				<circle cx="6" cy="6" r="4.5" class="ring" />
				<path d="M6 1.5a4.5 4.5 0 0 0 0 9z" class="fill" />
			</>
		),
		offline: <circle cx="6" cy="6" r="4.5" class="ring" />,
		failed: <path d="M6 .8L11.6 11H.4z" class="fill" />,
		unknown: (
			<>
				<rect x="1" y="1" width="10" height="10" rx="2" class="ring" />
				<path d="M1.5 6L6 1.5M2 10.2L10.2 2M6 10.5L10.5 6" class="ring" />
			</>
		),
	}[look];
	return (
		<svg class="shape" viewBox="0 0 12 12" aria-hidden="true">
			{part}
		</svg>
	);
}

export function Pill({ device, text }: { device: Device; text?: string }) {
	const look = looks[device.status] ?? "unknown";
	return (
		<span class={"pill " + look} data-status={device.status}>
			<Shape look={look} />
			<span>{text ?? status_text(device)}</span>
		</span>
	);
}

/* The pill of the Add dialog, whose text says what is being waited for. */
export function WaitPill({ on, text }: { on: boolean; text: string }) {
	const look = on ? "connected" : "waiting";
	return (
		<span class={"pill big " + look} data-look={look}>
			<Shape look={look} />
			<span>{text}</span>
		</span>
	);
}
