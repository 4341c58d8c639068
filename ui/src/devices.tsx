/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list: a table on wide screens, cards on narrow ones. The roles are
 * written out because browsers drop them when CSS changes a table's display.
 */
import { computed, signal } from "@preact/signals";
import type { Device } from "./contract";
import { adding } from "./adddevice";
import { ago, exact } from "./ago";
import { changing } from "./changes";
import { Copy } from "./copy";
import { devices, everyone, is_viewer, node_name, now_ms, phase, refresh, sees_all } from "./model";
import { Pill } from "./pill";
import { TypeIcon } from "./typeicon";
import { WhyButton } from "./why";
import { t } from "./words";

/* The search is part of the address, so that a reload and a bookmark keep it. */
const search = signal(new URLSearchParams(location.search).get("q") ?? "");

function set_search(q: string) {
	search.value = q;
	history.replaceState(history.state, "", q ? "?q=" + encodeURIComponent(q) : location.pathname);
}

const shown = computed(() => {
	const q = search.value.trim().toLowerCase();
	if (!q) return devices.value;
	return devices.value.filter((d) =>
		[d.label, d.dns_name, d.mesh_ip, d.owner?.name ?? "", node_name(d.node_id)].some((text) =>
			text.toLowerCase().includes(q),
		),
	);
});

function Actions({ device }: { device: Device }) {
	if (is_viewer.value) return null;
	const { label } = device;
	const open = (what: "rename" | "rotate" | "remove") => () => (changing.value = { what, device });
	return (
		<div class="row-actions">
			<button
				type="button"
				class="quiet"
				aria-label={t("row.rename_of", { label })}
				onClick={open("rename")}
			>
				{t("row.rename")}
			</button>
			<button
				type="button"
				class="quiet"
				aria-label={t("row.rotate_of", { label })}
				onClick={open("rotate")}
			>
				{t("row.rotate")}
			</button>
			<button
				type="button"
				class="quiet bad"
				aria-label={t("row.remove_of", { label })}
				onClick={open("remove")}
			>
				{t("row.remove")}
			</button>
		</div>
	);
}

function Row({ device: d }: { device: Device }) {
	const type = "type." + d.type;
	return (
		<tr role="row" data-device={d.id}>
			<td role="cell" class="c-status">
				<Pill device={d} />
				<WhyButton device={d} />
			</td>
			<th role="rowheader" scope="row" class="c-device">
				<bdi class="label">{d.label}</bdi>
				<span class="value dns">
					<code>{d.dns_name}</code>
					<Copy text={d.dns_name} what={d.dns_name} />
				</span>
				{d.needs_new_config && <span class="remark">{t("row.newconfig")}</span>}
				{d.pending_until && <span class="remark">{t("row.pending")}</span>}
			</th>
			<td role="cell" class="c-ip" data-name={t("col.ip")}>
				<span class="value">
					<code>{d.mesh_ip}</code>
					<Copy text={d.mesh_ip} what={d.mesh_ip} />
				</span>
			</td>
			<td role="cell" class="c-type" data-name={t("col.type")}>
				<span class="value">
					<TypeIcon type={d.type} />
					{t(type as "type.DEVICE_TYPE_OTHER")}
				</span>
			</td>
			<td role="cell" class="c-node" data-name={t("col.node")}>
				<bdi class="clip" title={node_name(d.node_id)}>
					{node_name(d.node_id) || "–"}
				</bdi>
			</td>
			{everyone.value && (
				<td role="cell" class="c-owner" data-name={t("col.owner")}>
					<bdi class="clip" title={d.owner?.name}>
					{d.owner?.name ?? "–"}
				</bdi>
				</td>
			)}
			<td role="cell" class="c-seen" data-name={t("col.seen")}>
				<time dateTime={d.last_seen ?? undefined} title={exact(d.last_seen)}>
					{ago(d.last_seen, now_ms.value)}
				</time>
			</td>
			<td role="cell" class="c-actions">
				<Actions device={d} />
			</td>
		</tr>
	);
}

function Table() {
	const heads = [
		["c-status", t("col.status")],
		["c-device", t("col.device")],
		["c-ip", t("col.ip")],
		["c-type", t("col.type")],
		["c-node", t("col.node")],
		...(everyone.value ? [["c-owner", t("col.owner")]] : []),
		["c-seen", t("col.seen")],
	];
	return (
		<table class="devices" role="table" aria-labelledby="devices-title">
			<thead role="rowgroup">
				<tr role="row">
					{heads.map(([key, text]) => (
						<th key={key} role="columnheader" scope="col" class={key}>
							{text}
						</th>
					))}
					<th role="columnheader" scope="col" class="c-actions">
						<span class="for-readers">{t("col.actions")}</span>
					</th>
				</tr>
			</thead>
			<tbody role="rowgroup">
				{shown.value.map((d) => (
					<Row key={d.id} device={d} />
				))}
			</tbody>
		</table>
	);
}

function Skeleton() {
	return (
		<div class="skeleton" role="status">
			<span class="for-readers">{t("list.loading")}</span>
			<div />
			<div />
			<div />
		</div>
	);
}

function AddButton() {
	return (
		<button type="button" class="primary" onClick={() => (adding.value = true)}>
			<svg viewBox="0 0 16 16" aria-hidden="true">
				<path d="M8 2.5v11M2.5 8h11" />
			</svg>
			{t("list.add")}
		</button>
	);
}

function Empty() {
	return (
		<div class="empty">
			<svg viewBox="0 0 96 48" aria-hidden="true">
				<path d="M24 24L48 10M48 10L72 24M24 24L48 38M48 38L72 24M48 10V38" />
				<circle cx="24" cy="24" r="6" />
				<circle cx="72" cy="24" r="6" />
				<circle cx="48" cy="10" r="6" />
				<circle cx="48" cy="38" r="6" class="dashed" />
			</svg>
			<h2>{t("list.none.title")}</h2>
			<p>{is_viewer.value ? t("list.none.view") : t("list.none.body")}</p>
			{!is_viewer.value && <AddButton />}
		</div>
	);
}

function Scope() {
	if (!sees_all.value) return null;
	return (
		<label class="scope">
			<span class="for-readers">{t("list.scope")}</span>
			<select
				value={everyone.value ? "all" : "mine"}
				onChange={(e) => {
					everyone.value = e.currentTarget.value === "all";
					void refresh();
				}}
			>
				<option value="mine">{t("list.mine")}</option>
				<option value="all">{t("list.all")}</option>
			</select>
		</label>
	);
}

export function Devices() {
	const n = devices.value.length;
	const loading = phase.value === "loading";
	return (
		<section aria-labelledby="devices-title">
			<div class="toolbar">
				<h1 id="devices-title" tabIndex={-1}>
					{t("list.title")}
				</h1>
				{n > 0 && (
					<input
						type="search"
						class="search"
						placeholder={t("list.search")}
						aria-label={t("list.search")}
						value={search.value}
						onInput={(e) => set_search(e.currentTarget.value)}
					/>
				)}
				<Scope />
				{!is_viewer.value && n > 0 && <AddButton />}
			</div>
			{loading ? (
				<Skeleton />
			) : n === 0 ? (
				<Empty />
			) : shown.value.length === 0 ? (
				<div class="empty">
					<h2>{t("list.nomatch", { q: search.value })}</h2>
					<button type="button" class="secondary" onClick={() => set_search("")}>
						{t("list.clear")}
					</button>
				</div>
			) : (
				<Table />
			)}
		</section>
	);
}
