// SPDX-License-Identifier: Apache-2.0
// node connect.mjs DESCRIPTORS PLAIN_PORT TLS_PORT CERT: Connect's own client over its three
// protocols; one line "ok NAME" or "FAIL NAME: why" a check.
import fs from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
	compressionGzip, createConnectTransport, createGrpcTransport, createGrpcWebTransport,
} from "@connectrpc/connect-node";

const [descriptors, plain, tls, cert] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fs.readFileSync(descriptors)));
const Echo = registry.getService("qmesh.test.Echo");
// google.rpc.ErrorInfo has reason in its first field; no need for its whole file here.
const reasonOf = (detail) => Buffer.from(detail.value.subarray(2, 2 + detail.value[1])).toString();

function check(name, ok, seen) {
	console.log(ok ? `ok ${name}` : `FAIL ${name}: ${String(seen?.message ?? JSON.stringify(seen, (_, v) => typeof v === "bigint" ? String(v) : v))}`.slice(0, 300));
}

async function failure(promise) {
	try {
		return { answer: await promise };
	} catch (e) {
		return ConnectError.from(e);
	}
}

async function collect(stream, cancelAfter, abort) {
	const got = [];
	let error;
	try {
		for await (const m of stream) {
			got.push(m.n);
			if (got.length === cancelAfter)
				abort.abort();
		}
	} catch (e) {
		error = ConnectError.from(e);
	}
	return { got, error };
}

async function unaryCalls(name, client, isGrpc) {
	let headers, trailers;
	const metadata = { "x-echo": "plain words", "x-echo-bin": Buffer.from([0, 255, 128]).toString("base64") };
	let r = await failure(client.unary({ n: 3, text: "hé", data: new Uint8Array([0, 255]) }, {
		headers: metadata, onHeader: (h) => { headers = h; }, onTrailer: (t) => { trailers = t; },
	}));
	check(`${name}: unary`, r.answer?.n === 3 && r.answer.text === "hé" && r.answer.data[1] === 255, r);
	check(`${name}: metadata`, headers?.get("x-echo") === "plain words" && headers.get("x-echo-bin") === metadata["x-echo-bin"] && trailers, [...headers ?? []]);
	r = await failure(client.work({ n: 4 }));
	check(`${name}: on a worker`, r.answer?.n === 4, r);
	r = await failure(client.ask({ n: 5, text: "?&=% +" }));
	check(`${name}: without side effects`, r.answer?.text === "?&=% +", r);
	r = await failure(client.fail({ n: 15, text: "naïve %" }));
	check(`${name}: refusal`, r.code === Code.AlreadyExists && r.rawMessage === "naïve %", r);
	check(`${name}: details`, r.details?.[0]?.type === "google.rpc.ErrorInfo" && reasonOf(r.details[0]) === "LABEL_TAKEN", r.details);
	r = await failure(client.nobody({}));
	check(`${name}: no handler`, r.code === Code.Unimplemented, r);
	r = await failure(client.slow({ ms: 3000 }, { timeoutMs: 200 }));
	check(`${name}: deadline`, r.code === Code.DeadlineExceeded, r);
	r = await failure(client.unary({ data: new Uint8Array(isGrpc ? 2000000 : 2000001).fill(7) }));
	check(`${name}: 2 MB`, r.answer?.data.length >= 2000000, r);
	r = await failure(client.unary({ data: new Uint8Array(5 << 20) }));
	check(`${name}: too large`, r.code === Code.ResourceExhausted, r);
}

async function streams(name, client) {
	const abort = new AbortController();
	let r = await collect(client.serverStream({ n: 500, size: 1500 }));
	check(`${name}: stream`, !r.error && r.got.length === 500 && r.got[499] === 499, r.error);
	r = await collect(client.serverStream({ n: 0 }));
	check(`${name}: empty stream`, !r.error && r.got.length === 0, r.error);
	r = await collect(client.serverStream({ n: 50, size: 10, data: new Uint8Array([1]) }));
	check(`${name}: stream from a thread`, !r.error && r.got.length === 50, r.error);
	r = await collect(client.serverStream({ n: 1000, ms: 5, size: 10 }, { signal: abort.signal }), 3, abort);
	check(`${name}: cancel`, r.error?.code === Code.Canceled, r);
	r = await collect(client.subscribe({}, { timeoutMs: 300 }));
	check(`${name}: a stream's deadline`, r.error?.code === Code.DeadlineExceeded, r);
}

async function* messages(list) {
	for (const m of list)
		yield m;
}

// Over HTTP/1.1 answers may come before the request's end; one after the other is what clients do.
async function callerStreams(name, client, isHttp2) {
	let r = await failure(client.clientStream(messages([...Array(200).keys()].map((n) => ({ n, data: new Uint8Array(2000) })))));
	check(`${name}: client stream`, r.answer?.n === 19900 && r.answer.text === "200", r);
	r = await failure(client.clientStream(messages([])));
	check(`${name}: empty client stream`, r.answer?.n === 0 && r.answer.text === "0", r);
	let trailers;
	r = await collect(client.both(messages([...Array(100).keys()].map((n) => ({ n, ms: n % 10 === 0 ? 3 : 0 }))), {
		onTrailer: (t) => { trailers = t; },
	}));
	check(`${name}: both`, !r.error && r.got.length === 100 && r.got[99] === 99 && trailers?.get("x-end") === "half-closed", r);
	r = await collect(client.both(messages([{ n: 1 }, { n: 999 }, { n: 2 }])));
	check(`${name}: both, refused`, r.error?.code === Code.InvalidArgument && r.got.length <= 1, r);
	if (!isHttp2)
		return;
	let next;
	const turns = [];
	async function* afterAnswer() {
		for (let n = 0; n < 5; n++) {
			yield { n };
			turns.push(await new Promise((resolve) => { next = resolve; }));
		}
	}
	for await (const m of client.both(afterAnswer()))
		next(m.n);
	check(`${name}: in turns`, turns.join() === "0,1,2,3,4", turns);
}

async function kind(name, transport, { isGrpc = false } = {}) {
	const client = createClient(Echo, transport);
	await unaryCalls(name, client, isGrpc);
	await streams(name, client);
	await callerStreams(name, client, name.endsWith(" 2"));
}

const gzip = { acceptCompression: [compressionGzip], sendCompression: compressionGzip, compressMinBytes: 1 };
const bare = { acceptCompression: [] };

for (const httpVersion of ["1.1", "2"]) {
	for (const secure of [false, true]) {
		const where = {
			baseUrl: secure ? `https://localhost:${tls}` : `http://localhost:${plain}`,
			httpVersion,
			nodeOptions: secure ? { ca: fs.readFileSync(cert) } : {},
		};
		const at = `${secure ? "tls" : "plain"} ${httpVersion}`;
		await kind(`connect proto ${at}`, createConnectTransport({ ...where, ...bare }));
		await kind(`connect json gzip ${at}`, createConnectTransport({ ...where, ...gzip, useBinaryFormat: false }));
		await kind(`grpc-web ${at}`, createGrpcWebTransport({ ...where, ...bare }));
		await kind(`grpc-web gzip ${at}`, createGrpcWebTransport({ ...where, ...gzip }));
	}
	const where = { baseUrl: `http://localhost:${plain}`, httpVersion };
	const get = createClient(Echo, createConnectTransport({ ...where, ...gzip, useHttpGet: true }));
	const got = await failure(get.ask({ n: 5, text: "?&=% +é" }));
	check(`get proto gzip ${httpVersion}`, got.answer?.text === "?&=% +é", got);
	const json = createClient(Echo, createConnectTransport({ ...where, ...bare, useHttpGet: true, useBinaryFormat: false }));
	const said = await failure(json.ask({ n: 5, text: "?&=% +é" }));
	check(`get json ${httpVersion}`, said.answer?.text === "?&=% +é", said);
	const many = await Promise.all([...Array(100).keys()].map((n) => failure(get.slow({ n, ms: 30 }))));
	check(`100 at once ${httpVersion}`, many.every((m, n) => m.answer?.n === n), many.find((m) => !m.answer));
}
await kind("grpc plain 2", createGrpcTransport({ baseUrl: `http://localhost:${plain}`, ...bare }), { isGrpc: true });
process.exit(0);
