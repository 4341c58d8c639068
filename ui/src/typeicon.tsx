/* SPDX-License-Identifier: Apache-2.0 */
/* One line drawing per device type, drawn in the colour of the text. */
import type { DeviceType } from "./contract";

const drawings: Record<DeviceType, string> = {
	DEVICE_TYPE_UNSPECIFIED: "M4 4h16v16H4zM9 9h6v6H9z",
	DEVICE_TYPE_IPHONE: "M8 2h8a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zM10 4.5h4",
	DEVICE_TYPE_ANDROID: "M8 2h8a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zM12 18.5v.01M6 15.5h12",
	DEVICE_TYPE_LAPTOP: "M5 5h14v10H5zM2 19h20l-3-4H5z",
	DEVICE_TYPE_OTHER: "M4 5h16v6H4zM4 13h16v6H4zM7.5 8v.01M7.5 16v.01",
};

export function TypeIcon({ type }: { type: DeviceType }) {
	return (
		<svg class="type-icon" viewBox="0 0 24 24" aria-hidden="true">
			<path d={drawings[type] ?? drawings.DEVICE_TYPE_OTHER} />
		</svg>
	);
}
