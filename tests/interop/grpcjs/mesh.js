// SPDX-License-Identifier: Apache-2.0
// node mesh.js PROTO_DIR TARGET CERT|- TENANT USER PASSWORD LABEL: a daemon of ours by grpc-js; one
// line "ok CASE" or "FAIL CASE: why" each. CERT "-" is clear text.
"use strict";
const assert = require("assert");
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const protobuf = require("protobufjs");

const [proto, target, cert, tenant, user, password, label] = process.argv.slice(2);
const api = grpc.loadPackageDefinition(loader.loadSync(
	["quazzar/mesh/v1/auth.proto", "quazzar/mesh/v1/mesh.proto"], { includeDirs: [proto], longs: String })).quazzar.mesh.v1;
const errors = new protobuf.Root();
errors.resolvePath = (_, name) => `${name.startsWith("google/protobuf/") ? "/usr/include" : proto}/${name}`;
errors.loadSync(["google/rpc/status.proto", "google/rpc/error_details.proto", "google/protobuf/any.proto", "google/protobuf/duration.proto"]);

const credentials = cert === "-" ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(fs.readFileSync(cert));
const auth = new api.AuthService(target, credentials), mesh = new api.MeshService(target, credentials);
const signed = new grpc.Metadata();
const { status } = grpc;
const soon = () => ({ deadline: Date.now() + 60000 });

function ask(client, method, message, metadata = signed) {
	return new Promise((resolve) => client[method](message, metadata, soon(), (error, answer) =>
		resolve({ error, answer })));
}

// google.rpc.Status of an error, its details by name, each decoded as what it says it is.
function details(error) {
	const bytes = error.metadata.get("grpc-status-details-bin")[0];
	const told = errors.lookupType("google.rpc.Status").decode(bytes), out = {};
	for (const any of told.details) {
		const name = any.type_url.split("/")[1];
		out[name.split(".")[2]] = errors.lookupType(name).decode(any.value);
	}
	return { told, ...out };
}

let made, before;
const cases = {
	async login() {
		const { answer, error } = await ask(auth, "login", { tenant, user, password }, new grpc.Metadata());
		assert(answer?.token, error?.message);
		signed.set("authorization", `Bearer ${answer.token}`);
	},
	async list_devices() {
		const { answer, error } = await ask(mesh, "listDevices", {});
		assert(answer, error?.message);
		before = answer.devices?.length ?? 0;
	},
	async create_device() {
		const { answer, error } = await ask(mesh, "createDevice", { label });
		assert(answer?.device.label === label && answer.config.includes("[Interface]"), error?.message);
		made = answer.device.id;
		assert.strictEqual((await ask(mesh, "listDevices", {})).answer.devices.length, before + 1);
	},
	async watch_state() {
		const stream = mesh.watchState({}, signed, soon());
		stream.on("error", () => {});
		const versions = [];
		let wake;
		stream.on("data", (m) => { versions.push(BigInt(m.version)); wake?.(); });
		const until = async (n) => {
			while (versions.length < n)
				await new Promise((resolve) => { wake = resolve; });
		};
		await until(1);
		const { error } = await ask(mesh, "updateDevice", { id: made, label: label + " 2" });
		assert(!error, error?.message);
		await until(2);
		assert(versions[1] > versions[0], versions.join());
		stream.cancel();
	},
	async error_info() {
		const { error } = await ask(mesh, "createDevice", { label: label + " 2" });
		assert.strictEqual(error?.code, status.ALREADY_EXISTS, error?.message);
		const { told, ErrorInfo } = details(error);
		assert.deepStrictEqual([told.code, told.message, ErrorInfo.reason, ErrorInfo.domain],
			[6, error.details, "LABEL_TAKEN", "mesh.quazzar"]);
	},
	async bad_request() {
		const { error } = await ask(mesh, "getDevice", { id: "no uuid" });
		assert.strictEqual(error?.code, status.INVALID_ARGUMENT, error?.message);
		assert.deepStrictEqual(details(error).BadRequest.fieldViolations.map((v) => v.field), ["id"]);
	},
	async no_token() {
		const { error } = await ask(mesh, "getState", {}, new grpc.Metadata());
		assert.strictEqual(error?.code, status.UNAUTHENTICATED, error?.message);
		assert.strictEqual(details(error).ErrorInfo.reason, "TOKEN_MISSING");
	},
	async cancel() {
		const error = await new Promise((resolve) => {
			const stream = mesh.watchState({}, signed, soon());
			stream.on("data", () => stream.cancel());
			stream.on("error", resolve);
		});
		assert.strictEqual(error.code, status.CANCELLED, error.message);
	},
	async deadline() {
		const error = await new Promise((resolve) => {
			const stream = mesh.watchState({}, signed, { deadline: Date.now() + 400 });
			stream.on("data", () => {});
			stream.on("error", resolve);
		});
		assert.strictEqual(error.code, status.DEADLINE_EXCEEDED, error.message);
	},
	async delete_device() {
		const { error } = await ask(mesh, "deleteDevice", { id: made });
		assert(!error, error?.message);
		assert.strictEqual((await ask(mesh, "listDevices", {})).answer.devices?.length ?? 0, before);
	},
};

async function main() {
	for (const [name, run] of Object.entries(cases)) {
		try {
			await run();
			console.log(`ok ${name}`);
		} catch (e) {
			console.log(`FAIL ${name}: ${String(e.message).split("\n").join(" ").slice(0, 300)}`);
		}
	}
	process.exit(0);
}

main();
