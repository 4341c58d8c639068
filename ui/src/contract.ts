/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of proto/quazzar/mesh/v1 as REST writes them: proto field names,
 * defaults present, 64-bit numbers as strings, enums by name, RFC 3339 times.
 * Only what the page reads is listed.
 */

export type DeviceType =
	| "DEVICE_TYPE_UNSPECIFIED"
	| "DEVICE_TYPE_IPHONE"
	| "DEVICE_TYPE_ANDROID"
	| "DEVICE_TYPE_LAPTOP"
	| "DEVICE_TYPE_OTHER";

export type DeviceStatus =
	| "DEVICE_STATUS_UNSPECIFIED"
	| "DEVICE_STATUS_WAITING"
	| "DEVICE_STATUS_CONNECTED"
	| "DEVICE_STATUS_IDLE"
	| "DEVICE_STATUS_OFFLINE"
	| "DEVICE_STATUS_NOT_APPLIED"
	| "DEVICE_STATUS_UNKNOWN"
	| "DEVICE_STATUS_SUSPENDED";

export type Plan =
	| "PLAN_UNSPECIFIED"
	| "PLAN_FREE"
	| "PLAN_PRO"
	| "PLAN_TEAM"
	| "PLAN_ENTERPRISE";

export type Role = "ROLE_UNSPECIFIED" | "ROLE_MEMBER" | "ROLE_AUDITOR" | "ROLE_ADMIN";

export interface Device {
	id: string;
	label: string;
	slug: string;
	type: DeviceType;
	dns_name: string;
	mesh_ip: string;
	mesh_ip6: string;
	public_key: string;
	owner?: { id: string; name: string } | null;
	node_id: string;
	status: DeviceStatus;
	last_seen?: string | null;
	created_at?: string | null;
	applied: boolean;
	needs_new_config: boolean;
	key_version: number;
	pending_until?: string | null;
}

/* Of a device: why it is (not) connected. */
export interface Why {
	reason: string;
	evidence: string;
	next_step: string;
}

export interface Node {
	id: string;
	label: string;
	slug: string;
	online: boolean;
	forwarding: string;
}

export interface State {
	active: boolean;
	dns_status: string;
	range: string;
	node_id: string;
	node_label: string;
	cp_connected: boolean;
	cp_lost_at?: string | null;
	plan: Plan;
	devices_used: number;
	devices_cap: number;
	/* Absent from an older daemon. */
	notices?: string[];
	forwarding: string;
	endpoint: string;
	/* How long devices are served without the Control Panel, and what is left of it; 0: for ever. */
	lease_s: string;
	lease_left_s: string;
	lease_over: boolean;
}

export interface Me {
	user: string;
	tenant: string;
	role: Role;
	plan: Plan;
}

/* The answer of CreateDevice and RotateDeviceKey: the only place of the private key. */
export interface Issued {
	config: string;
	qr_svg: string;
	device: Device;
}

export interface Change {
	generation: string;
	applied: number;
	live: number;
	converged: boolean;
}

export interface NewDevice {
	label: string;
	type: DeviceType;
	keepalive: boolean;
	dns?: boolean;
	public_key?: string;
	node_id?: string;
}
