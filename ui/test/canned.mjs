/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves ui/dist with canned answers, with the page's real headers, for looking
 * at the page while working on it. It proves nothing about the daemons: that is
 * tests/browser. Usage: node canned.mjs PORT; steer it by POST /canned with
 * JSON {fail, plan, count, cp, role, delay_ms, green_ms, lease_left_s}.
 */
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const dist = join(dirname(fileURLToPath(import.meta.url)), "../dist");

/* Read anew each time, so that a rebuilt page shows at once. */
function page_file(wanted) {
	const lines = readFileSync(join(dist, "manifest.txt"), "utf8").trim().split("\n");
	const row = lines.map((l) => l.split("\t")).find(([path]) => path === wanted);
	return row && { file: row[1], type: row[2] };
}

const CSP =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'";

const caps = { PLAN_FREE: 3, PLAN_PRO: 20, PLAN_TEAM: 100, PLAN_ENTERPRISE: 0 };
const node1 = "0193a0c4-0000-7000-8000-000000000001";
const node2 = "0193a0c4-0000-7000-8000-000000000002";
const ago = (s) => new Date(Date.now() - s * 1000).toISOString();

let steer = { plan: "PLAN_PRO", cp: true, role: "ROLE_ADMIN", green_ms: 3000 };
let signed_in = false;
let version = 1;
let devices = [];
let made_at = [];
const streams = new Set();

function device(label, type, status, seen_s, more = {}) {
	const n = devices.length + 1;
	const slug = label.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
	const name = slug.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
	const d = {
		id: randomUUID(),
		label,
		slug: name,
		type: "DEVICE_TYPE_" + type,
		dns_name: name + ".quazzar.mesh",
		mesh_ip: "10.71.16." + n,
		mesh_ip6: "fd12:3456:789a::" + n,
		public_key: "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=",
		owner: { id: node1, name: "alice" },
		node_id: node1,
		status: "DEVICE_STATUS_" + status,
		last_seen: seen_s === null ? null : ago(seen_s),
		created_at: ago(86400),
		applied: true,
		needs_new_config: false,
		key_version: 1,
		pending_until: null,
		rx_bytes: "0",
		tx_bytes: "0",
		...more,
	};
	devices.push(d);
	return d;
}

function fill() {
	devices = [];
	device("Alice’s iPhone", "IPHONE", "CONNECTED", 12);
	device("Pixel 9 of Renée Müller with a rather long name", "ANDROID", "IDLE", 400);
	device("Work laptop", "LAPTOP", "OFFLINE", 11000, { node_id: node2 });
	device("<script>alert(1)</script>", "OTHER", "NOT_APPLIED", 86400 * 3);
	device("NAS", "OTHER", "UNKNOWN", 3000, { node_id: node2, needs_new_config: true });
	device("Spare phone", "ANDROID", "WAITING", null);
	device("Old tablet", "OTHER", "SUSPENDED", 86400 * 40);
}
fill();

function changed() {
	version++;
	for (const s of streams) s.write(`id: ${version}\nevent: changed\ndata: {"version":"${version}"}\n\n`);
}

function code_svg(text) {
	const rows = execFileSync("qrencode", ["-l", "M", "-m", "4", "-t", "ASCII", "-o", "-"], { input: text })
		.toString()
		.split("\n")
		.filter(Boolean);
	let d = "";
	rows.forEach((row, y) => {
		for (let x = 0; x < row.length / 2; x++) {
			let n = 0;
			while (row[2 * (x + n)] === "#") n++;
			if (n) d += `M${x} ${y}h${n}v1h-${n}z`;
			x += n;
		}
	});
	const w = rows.length;
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${w}" width="${4 * w}" height="${4 * w}"><rect width="${w}" height="${w}" fill="#fff"/><path d="${d}" fill="#000"/></svg>`;
}

function config(d, own) {
	const key = own ? "" : "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n";
	return (
		`[Interface]\n${key}Address = ${d.mesh_ip}/32, ${d.mesh_ip6}/128\nMTU = 1280\n\n[Peer]\n` +
		"PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n" +
		"PresharedKey = FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=\n" +
		"AllowedIPs = 10.71.0.0/16, fd12:3456:789a::/48\nEndpoint = 198.51.100.7:51820\nPersistentKeepalive = 25\n"
	);
}

function issue(d, own) {
	const text = config(d, own);
	setTimeout(() => {
		d.status = "DEVICE_STATUS_CONNECTED";
		d.pending_until = null;
		d.last_seen = ago(0);
		changed();
	}, steer.green_ms);
	return { config: text, qr_svg: own ? "" : code_svg(text), device: d };
}

const statuses = { LOGIN_FAILED: 401, TOKEN_INVALID: 401, NOT_OWNER: 403, NOT_FOUND: 404, RATE_LIMITED: 429, CP_UNREACHABLE: 503, INTERNAL: 500, LABEL_INVALID: 400, LABEL_RESERVED: 400, FIELD_INVALID: 400 };

function refuse(res, reason, metadata = {}, more = []) {
	send(res, statuses[reason] ?? 409, {
		code: 9,
		message: "canned " + reason,
		details: [
			{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "mesh.quazzar", metadata },
			...more,
		],
	});
}

function send(res, status, value, headers = {}) {
	res.writeHead(status, {
		"content-type": "application/json",
		"cache-control": "no-store",
		"x-request-id": "0f3c9a17b2d84e65",
		...headers,
	});
	res.end(value === undefined ? undefined : JSON.stringify(value));
}

function api(req, res, url, body) {
	if (url.pathname === "/api/auth/login") {
		if (body.password === "wrong") return refuse(res, "LOGIN_FAILED");
		if (steer.tenants && !body.tenant)
			return refuse(res, "FIELD_INVALID", {}, [
				{
					"@type": "type.googleapis.com/google.rpc.BadRequest",
					fieldViolations: [{ field: "tenant", description: "name one" }],
				},
			]);
		signed_in = true;
		return send(res, 200, { token: "x", expires_at: ago(-28800), user: { name: body.user } });
	}
	if (!signed_in) return refuse(res, "TOKEN_INVALID");
	const [, , area, , id] = url.pathname.split("/");
	const route = req.method + " " + url.pathname;
	if (route === "POST /api/auth/logout") {
		signed_in = false;
		return send(res, 204);
	}
	if (route === "GET /api/auth/me")
		return send(res, 200, { user: "alice", tenant: "home", role: steer.role, plan: steer.plan });
	if (route === "GET /api/mesh/state")
		return send(res, 200, {
			active: true, listen_port: 51820, peer_count: devices.length + 1, mesh_ip: "10.71.0.1",
			dns_status: steer.dns ?? "off", backend: "userspace", generation: String(version), converged: true,
			range: "10.71.0.0/16", node_id: node1, node_label: "node-01", cp_connected: steer.cp,
			cp_lost_at: steer.cp ? null : ago(190), plan: steer.plan, devices_used: devices.length,
			devices_cap: caps[steer.plan], forwarding: "", endpoint: "198.51.100.7:51820",
			lease_s: "604800", lease_left_s: steer.lease_left_s ?? "604800", lease_over: steer.lease_left_s === "0",
		});
	if (route === "GET /api/mesh/nodes")
		return send(res, 200, [
			{ id: node1, label: "node-01", online: true, forwarding: "" },
			{ id: node2, label: "node-02", online: steer.node2 ?? true, forwarding: "" },
		]);
	if (url.pathname === "/api/mesh/events") {
		res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
		res.write(":\n\n");
		streams.add(res);
		req.on("close", () => streams.delete(res));
		return;
	}
	if (route === "GET /api/mesh/devices") return send(res, 200, devices);
	if (url.pathname.startsWith("/api/mesh/changes/"))
		return send(res, 200, { generation: id, applied: 2, live: 2, converged: true });
	if (req.method !== "GET" && steer.fail) {
		const reason = steer.fail;
		if (reason === "RATE_LIMITED")
			return refuse(res, reason, {}, [
				{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "12s" },
			]);
		return refuse(res, reason, { suggestion: "alices-iphone-2", limit: "3", used: "3", plan: "free" });
	}
	const made = { "qmesh-generation": String(version), "qmesh-converged": "1/2", "qmesh-applied": "true" };
	if (route === "POST /api/mesh/devices") {
		const recent = made_at.filter((t) => Date.now() - t < 60_000);
		if (recent.length >= 5)
			return refuse(res, "RATE_LIMITED", {}, [
				{
					"@type": "type.googleapis.com/google.rpc.RetryInfo",
					retryDelay: Math.ceil((60_000 - Date.now() + recent[0]) / 1000) + "s",
				},
			]);
		const cap = caps[steer.plan];
		if (cap && devices.length >= cap)
			return refuse(res, "DEVICE_CAP_REACHED", { limit: String(cap), used: String(cap) });
		if (devices.some((d) => d.label === body.label))
			return refuse(res, "LABEL_TAKEN", { suggestion: body.label.toLowerCase() + "-2" });
		made_at = [...recent, Date.now()];
		const d = device(body.label, body.type.slice(12), "WAITING", null);
		changed();
		return send(res, 201, issue(d, body.public_key), made);
	}
	if (route === "GET /api/mesh/ca") {
		res.writeHead(200, {
			"content-type": "application/x-x509-ca-cert",
			"content-disposition": 'attachment; filename="quazzar-mesh.crt"',
		});
		return res.end("-----BEGIN CERTIFICATE-----\ncanned\n-----END CERTIFICATE-----\n");
	}
	const target = devices.find((d) => d.id === id?.split(":")[0]);
	if (!target) return refuse(res, "NOT_FOUND");
	if (url.pathname.endsWith("/why"))
		return send(res, 200, {
			reason: "NEVER_A_PACKET",
			evidence: "node-01 has the device's key in place, and no handshake with it was ever seen at 198.51.100.7:51820.",
			next_step: "Import the config into the WireGuard app and switch the tunnel on.",
		});
	if (req.method === "DELETE") {
		devices = devices.filter((d) => d !== target);
		changed();
		return send(res, 204, undefined, made);
	}
	if (req.method === "PATCH") {
		target.label = body.label;
		changed();
		return send(res, 200, target, made);
	}
	if (id.endsWith(":rotate")) {
		target.key_version++;
		target.pending_until = ago(-600);
		return send(res, 200, issue(target, body.public_key), made);
	}
	return refuse(res, "NOT_FOUND", { area });
}

const server = createServer(async (req, res) => {
	const url = new URL(req.url, "http://localhost");
	let text = "";
	for await (const part of req) text += part;
	if (url.pathname === "/canned") {
		const wish = JSON.parse(text || "{}");
		if (wish.reset) {
			fill();
			steer = { plan: "PLAN_PRO", cp: true, role: "ROLE_ADMIN", green_ms: 3000 };
			signed_in = false;
			made_at = [];
		}
		if (wish.count !== undefined) devices = devices.slice(0, wish.count);
		if (wish.signed_in !== undefined) signed_in = wish.signed_in;
		Object.assign(steer, wish);
		changed();
		return send(res, 200, steer);
	}
	if (url.pathname.startsWith("/api/")) {
		setTimeout(() => api(req, res, url, text ? JSON.parse(text) : {}), steer.delay_ms ?? 0);
		return;
	}
	const found = page_file(url.pathname);
	if (!found) return send(res, 404, { code: 5, message: "no such page" });
	res.writeHead(200, {
		"content-type": found.type,
		"content-security-policy": CSP,
		"cross-origin-opener-policy": "same-origin",
		"cross-origin-resource-policy": "same-origin",
		"referrer-policy": "no-referrer",
		"x-content-type-options": "nosniff",
	});
	res.end(readFileSync(join(dist, found.file)));
});

server.listen(Number(process.argv[2] ?? 7999), "127.0.0.1");
