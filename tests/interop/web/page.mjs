// SPDX-License-Identifier: Apache-2.0
// Bundled by esbuild and run in Chromium: Connect's own client (connect-web) and Google's
// (grpc-web) call a server of another origin. /config.json says which; the lines "ok NAME" or
// "FAIL NAME: why" go back by POST /result. In a page of an origin that is not configured every
// call must fail, and by the browser's hand.
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import * as grpcweb from "grpc-web";
import { decode, encode } from "./msg.mjs";

const lines = [];
const show = (v) => JSON.stringify(v, (_, x) => typeof x === "bigint" ? String(x) : x) ?? String(v);

function check(name, ok, seen) {
	lines.push((ok ? `ok ${name}` : `FAIL ${name}: ${seen instanceof Error ? seen.message : show(seen)}`).slice(0, 300));
}

async function failure(promise) {
	try {
		return { answer: await promise };
	} catch (e) {
		return ConnectError.from(e);
	}
}

async function collect(stream, stopAfter, abort) {
	const got = [];
	try {
		for await (const m of stream) {
			got.push(m);
			if (got.length === stopAfter)
				abort.abort();
		}
	} catch (e) {
		return { got, error: ConnectError.from(e) };
	}
	return { got };
}

// google.rpc.ErrorInfo has the reason in its first field.
const reasonOf = (value) => new TextDecoder().decode(value.subarray(2, 2 + value[1]));

async function echoes(name, client) {
	let headers, trailers, r;
	r = await failure(client.unary({ n: 3, text: "hé ☺", data: new Uint8Array([0, 255]) }, {
		headers: { "x-echo": "plain words", "x-echo-bin": "AP+A", "x-end": "now" },
		onHeader: (h) => { headers = h; }, onTrailer: (t) => { trailers = t; },
	}));
	check(`${name}: unary`, r.answer?.n === 3 && r.answer.text === "hé ☺" && r.answer.data[1] === 255, r);
	check(`${name}: metadata`, headers?.get("x-echo") === "plain words" && headers.get("x-request-id"), [...headers ?? []]);
	check(`${name}: binary metadata`, headers?.get("x-echo-bin")?.replace(/=+$/, "") === "AP+A", [...headers ?? []]);
	check(`${name}: trailers`, trailers?.get("x-end") === "now, again", [...trailers ?? []]);
	r = await failure(client.fail({ n: 15, text: "naïve % ☺" }));
	check(`${name}: refusal`, r.code === Code.AlreadyExists && r.rawMessage === "naïve % ☺", r);
	check(`${name}: details`, r.details?.[0]?.type === "google.rpc.ErrorInfo" && reasonOf(r.details[0].value) === "LABEL_TAKEN", r.details);
	r = await failure(client.nobody({}));
	check(`${name}: no handler`, r.code === Code.Unimplemented, r);
	r = await failure(client.slow({ ms: 5000 }, { timeoutMs: 200 }));
	check(`${name}: deadline`, r.code === Code.DeadlineExceeded, r);
	r = await failure(client.unary({ data: new Uint8Array(2000001).fill(7) }));
	check(`${name}: 2 MB`, r.answer?.data.length === 2000001, r);
	r = await collect(client.serverStream({ n: 300, size: 1500 }));
	check(`${name}: stream`, !r.error && r.got.length === 300 && r.got[299].n === 299, r.error);
	const abort = new AbortController();
	r = await collect(client.serverStream({ n: 1000, ms: 5, size: 10 }, { signal: abort.signal }), 3, abort);
	check(`${name}: cancel`, r.error?.code === Code.Canceled && r.got.length === 3, r);
	r = await collect(client.subscribe({}, { timeoutMs: 300 }));
	check(`${name}: a stream's deadline`, r.error?.code === Code.DeadlineExceeded, r);
	const many = await Promise.all([...Array(40).keys()].map((n) => failure(client.slow({ n, ms: 30 }))));
	check(`${name}: 40 at once`, many.every((m, n) => m.answer?.n === n), many.find((m) => !m.answer));
}

async function interopCases(name, client, unknown) {
	const zeros = (n) => ({ body: new Uint8Array(n) });
	let r = await failure(client.emptyCall({}));
	check(`${name}: empty_unary`, r.answer, r);
	const large = { responseSize: 314159, payload: zeros(271828) };
	let headers, trailers;
	r = await failure(client.unaryCall(large, {
		headers: { "x-grpc-test-echo-initial": "test_initial_metadata_value", "x-grpc-test-echo-trailing-bin": "q6ur" },
		onHeader: (h) => { headers = h; }, onTrailer: (t) => { trailers = t; },
	}));
	check(`${name}: large_unary`, r.answer?.payload.body.length === 314159, r);
	check(`${name}: custom_metadata`, headers?.get("x-grpc-test-echo-initial") === "test_initial_metadata_value" &&
		trailers?.get("x-grpc-test-echo-trailing-bin") === "q6ur", [...headers ?? [], ...trailers ?? []]);
	const sizes = [31415, 9, 2653, 58979];
	r = await collect(client.streamingOutputCall({ responseParameters: sizes.map((size) => ({ size })) }));
	check(`${name}: server_streaming`, r.got.map((m) => m.payload.body.length).join() === sizes.join(), r.error);
	for (const [kase, message] of [["status_code_and_message", "test status message"],
		["special_status_message", "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"]]) {
		r = await failure(client.unaryCall({ responseStatus: { code: 2, message } }));
		check(`${name}: ${kase}`, r.code === Code.Unknown && r.rawMessage === message, r);
	}
	r = await failure(client.unimplementedCall({}));
	check(`${name}: unimplemented_method`, r.code === Code.Unimplemented, r);
	// A path that is no method's says nothing of CORS: to a page it is as good as not there.
	r = await failure(unknown.unimplementedCall({}));
	check(`${name}: unimplemented_service`, r.code !== undefined && !r.answer, r);
	r = await collect(client.streamingOutputCall({ responseParameters: [{ size: 9, intervalUs: 5000000 }] }, { timeoutMs: 200 }));
	check(`${name}: timeout_on_sleeping_server`, r.error?.code === Code.DeadlineExceeded, r);
}

async function google(at, base) {
	const method = (name, type) => new grpcweb.MethodDescriptor(`/qmesh.test.Echo/${name}`, type, Object, Object, encode, decode);
	for (const format of ["text", "binary"]) {
		const name = `grpc-web ${format} ${at}`;
		const client = new grpcweb.GrpcWebClientBase({ format });
		const unary = (method_, message, metadata = {}) => new Promise((resolve) => {
			let seen;
			const call = client.rpcCall(`${base}/qmesh.test.Echo/${method_}`, message, metadata, method(method_, "unary"),
				(error, answer) => setTimeout(() => resolve({ error, answer, metadata: seen }), 0));
			call.on("metadata", (m) => { seen = m; });
		});
		let r = await unary("Unary", { n: 300, text: "hé" }, { "x-echo": "words", "x-echo-bin": "AP+A" });
		check(`${name}: unary`, r.answer?.n === 300 && r.answer.text === "hé", r.error);
		check(`${name}: metadata`, r.metadata?.["x-echo"] === "words" && r.metadata["x-echo-bin"]?.startsWith("AP+A"), r.metadata);
		r = await unary("Fail", { n: 15, text: "naïve %" });
		check(`${name}: refusal`, r.error?.code === grpcweb.StatusCode.ALREADY_EXISTS && r.error.message === "naïve %", r.error);
		check(`${name}: details`, atob(r.error?.metadata?.["grpc-status-details-bin"] ?? "").includes("LABEL_TAKEN"), r.error?.metadata);
		r = await unary("Slow", { ms: 3000 }, { deadline: String(Date.now() + 300) });
		check(`${name}: deadline`, r.error?.code === grpcweb.StatusCode.DEADLINE_EXCEEDED, r.error);
		if (format === "binary") // the client's own rule: streams as text only
			continue;
		r = await new Promise((resolve) => {
			const got = [];
			const call = client.serverStreaming(`${base}/qmesh.test.Echo/ServerStream`, { n: 200, size: 100 }, {}, method("ServerStream", "server_streaming"));
			call.on("data", (m) => got.push(m.n));
			call.on("error", (error) => resolve({ got, error }));
			call.on("end", () => resolve({ got }));
		});
		check(`${name}: stream`, !r.error && r.got.length === 200 && r.got[199] === 199, r.error ?? r.got.length);
	}
}

async function refused(config, Echo) {
	for (const [at, base] of Object.entries(config.echo)) {
		for (const [name, transport] of [["connect", createConnectTransport({ baseUrl: base })],
			["grpc-web", createGrpcWebTransport({ baseUrl: base })]]) {
			const r = await failure(createClient(Echo, transport).unary({ n: 1 }));
			check(`a stranger, ${name} ${at}`, !r.answer && r.cause instanceof TypeError, r);
		}
	}
	// What needs no preflight is sent; the answer must not be readable either.
	for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
		const told = await fetch(`${config.echo.plain}/qmesh.test.Echo/Unary`, { method: "POST", body: "{}", headers: { "content-type": type } })
			.then(() => "read", (e) => e.name);
		check(`a stranger, ${type}`, told === "TypeError", told);
	}
}

async function main() {
	const config = await (await fetch("/config.json")).json();
	const bytes = Uint8Array.from(atob(config.descriptors), (c) => c.charCodeAt(0));
	const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
	const Echo = registry.getService("qmesh.test.Echo");
	if (config.stranger)
		return refused(config, Echo);
	for (const [at, base] of Object.entries(config.echo)) {
		await echoes(`connect proto ${at}`, createClient(Echo, createConnectTransport({ baseUrl: base, useBinaryFormat: true })));
		await echoes(`connect json ${at}`, createClient(Echo, createConnectTransport({ baseUrl: base })));
		await echoes(`grpc-web ${at}`, createClient(Echo, createGrpcWebTransport({ baseUrl: base })));
		const get = createClient(Echo, createConnectTransport({ baseUrl: base, useHttpGet: true }));
		const r = await failure(get.ask({ n: 5, text: "?&=% +é" }));
		check(`connect get ${at}`, r.answer?.text === "?&=% +é", r);
		await google(at, base);
	}
	const Test = registry.getService("grpc.testing.TestService");
	const Unknown = registry.getService("grpc.testing.UnimplementedService");
	for (const [at, baseUrl] of Object.entries(config.interop))
		for (const [name, make] of [["connect", createConnectTransport], ["grpc-web", createGrpcWebTransport]])
			await interopCases(`interop ${name} ${at}`, createClient(Test, make({ baseUrl })), createClient(Unknown, make({ baseUrl })));
}

main().catch((e) => check("the page", false, e)).then(() =>
	fetch("/result", { method: "POST", body: lines.concat("end").join("\n") }));
