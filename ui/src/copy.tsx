/* SPDX-License-Identifier: Apache-2.0 */
/* A button that copies a text and says so. */
import { useSignal } from "@preact/signals";
import { announce } from "./announce";
import { t } from "./words";

export async function copy_text(text: string): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		announce(t("copy.done"));
		return true;
	} catch {
		announce(t("copy.failed"));
		return false;
	}
}

export function Copy({ text, what }: { text: string; what: string }) {
	const done = useSignal(false);
	return (
		<button
			type="button"
			class={done.value ? "icon copied" : "icon"}
			aria-label={t("copy.do", { what })}
			title={done.value ? t("copy.done") : t("copy.do", { what })}
			onClick={async () => {
				done.value = await copy_text(text);
				if (done.value) setTimeout(() => (done.value = false), 1500);
			}}
		>
			<svg viewBox="0 0 16 16" aria-hidden="true">
				{done.value ? (
					<path d="M3 8.5l3.5 3.5L13 4.5" />
				) : (
					<path d="M5.5 5.5h7v8h-7zM10.5 5.5v-3h-7v8h2" />
				)}
			</svg>
		</button>
	);
}
