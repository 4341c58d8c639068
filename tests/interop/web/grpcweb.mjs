// SPDX-License-Identifier: Apache-2.0
// node grpcweb.mjs PORT: the official grpc-web client, which wants a browser's XMLHttpRequest; one
// of node's http stands in for it. One line "ok NAME" or "FAIL NAME: why" a check.
import http from "node:http";
import { createRequire } from "node:module";
import { decode, encode } from "./msg.mjs";

const port = process.argv[2];

// As much of XMLHttpRequest as the client touches, chunks shown as they come.
class Xhr {
	constructor() {
		this.readyState = 0;
		this.status = 0;
		this.statusText = "";
		this.responseText = "";
		this.responseType = "";
		this.response = null;
		this.headers = {};
		this.listeners = {};
	}
	addEventListener(name, fn) {
		(this.listeners[name] ??= []).push(fn);
	}
	removeEventListener() {}
	open(method, url) {
		this.method = method;
		this.url = url;
		this.state(1);
	}
	setRequestHeader(name, value) {
		this.headers[name] = value;
	}
	getResponseHeader(name) {
		return this.answer?.headers[name.toLowerCase()] ?? null;
	}
	getAllResponseHeaders() {
		return Object.entries(this.answer?.headers ?? {}).map(([k, v]) => `${k}: ${v}\r\n`).join("");
	}
	overrideMimeType() {}
	state(n) {
		this.readyState = n;
		this.onreadystatechange?.();
		for (const fn of this.listeners.readystatechange ?? [])
			fn();
	}
	show(done) {
		const all = Buffer.concat(this.chunks);
		if (this.responseType === "arraybuffer")
			this.response = done ? all.buffer.slice(all.byteOffset, all.byteOffset + all.length) : null;
		else
			this.response = this.responseText = all.toString("latin1");
		this.state(done ? 4 : 3);
	}
	send(body) {
		this.chunks = [];
		this.request = http.request(this.url, { method: this.method, headers: this.headers }, (answer) => {
			this.answer = answer;
			this.status = answer.statusCode;
			this.state(2);
			answer.on("data", (chunk) => {
				this.chunks.push(chunk);
				this.show(false);
			});
			answer.on("end", () => this.show(true));
			answer.on("error", () => {});
		});
		this.request.on("error", () => {
			this.status = 0;
			if (!this.aborted)
				this.state(4);
		});
		this.request.end(typeof body === "string" ? body : body ? Buffer.from(body) : undefined);
	}
	abort() {
		this.aborted = true;
		this.request?.destroy();
		if (this.readyState < 4 && this.readyState > 0)
			this.state(4);
	}
}

globalThis.XMLHttpRequest = Xhr;
const grpcweb = createRequire(import.meta.url)("grpc-web");

const methods = {};
for (const [name, type] of [["Unary", "unary"], ["Fail", "unary"], ["Slow", "unary"], ["Nope", "unary"], ["ServerStream", "server_streaming"]])
	methods[name] = new grpcweb.MethodDescriptor(`/qmesh.test.Echo/${name}`, type, Object, Object, encode, decode);

function check(name, ok, seen) {
	console.log(ok ? `ok ${name}` : `FAIL ${name}: ${JSON.stringify(seen)}`.slice(0, 300));
}

for (const format of ["text", "binary"]) {
	const client = new grpcweb.GrpcWebClientBase({ format });
	const unary = (name, message, metadata = {}) => new Promise((resolve) =>
		client.rpcCall(`http://localhost:${port}${methods[name].getName()}`, message, metadata, methods[name],
			(error, answer) => resolve({ error, answer })));
	const stream = (message) => new Promise((resolve) => {
		const got = [];
		let error;
		const call = client.serverStreaming(`http://localhost:${port}/qmesh.test.Echo/ServerStream`, message, {}, methods.ServerStream);
		call.on("data", (m) => got.push(m.n));
		call.on("error", (e) => { error = e; resolve({ got, error }); });
		call.on("end", () => resolve({ got, error }));
	});

	let r = await unary("Unary", { n: 300, text: "hé" });
	check(`${format}: unary`, r.answer?.n === 300 && r.answer.text === "hé", r.error);
	r = await unary("Fail", { n: 15, text: "naïve %" });
	check(`${format}: refusal`, r.error?.code === grpcweb.StatusCode.ALREADY_EXISTS && r.error.message === "naïve %", r);
	check(`${format}: details`, Buffer.from(r.error?.metadata?.["grpc-status-details-bin"] ?? "", "base64").includes("LABEL_TAKEN"), r.error?.metadata);
	r = await unary("Nope", {});
	check(`${format}: no such method`, r.error?.code === grpcweb.StatusCode.UNIMPLEMENTED, r);
	r = await unary("Slow", { ms: 3000 }, { deadline: String(Date.now() + 300) });
	check(`${format}: deadline`, r.error?.code === grpcweb.StatusCode.DEADLINE_EXCEEDED, r);
	if (format === "text") { // the client's own rule: streams as text only
		r = await stream({ n: 200, size: 100 });
		check(`${format}: stream`, !r.error && r.got.length === 200 && r.got[199] === 199, [r.got.length, r.error]);
	}
}
process.exit(0);
