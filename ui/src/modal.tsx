/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A modal dialog on the browser's own <dialog>: focus stays inside and goes
 * back to the opener. Esc, a click beside it and the close button all ask
 * on_close; the dialog closes when its owner stops rendering it, never by
 * itself, so that a one-time secret cannot vanish by a slip.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { spoken } from "./announce";
import { t } from "./words";

export function CloseButton({ on_click, name }: { on_click: () => void; name?: string }) {
	return (
		<button
			type="button"
			class="icon"
			aria-label={name ?? t("dialog.close")}
			onClick={on_click}
		>
			<svg viewBox="0 0 16 16" aria-hidden="true">
				<path d="M3 3l10 10M13 3L3 13" />
			</svg>
		</button>
	);
}

interface ModalProps {
	title: string;
	/* Absent: it cannot be closed, only answered. */
	on_close?: () => void;
	children: ComponentChildren;
	/* A click beside the dialog asks to close it. */
	loose?: boolean;
	small?: boolean;
	alert?: boolean;
}

export function Modal({ title, on_close, children, loose, small, alert }: ModalProps) {
	const box = useRef<HTMLDialogElement>(null);
	const id = useId();
	useEffect(() => {
		const dialog = box.current!;
		const opener = document.activeElement as HTMLElement | null;
		dialog.showModal();
		/* The first thing to type into, else the title: never the close button. */
		(dialog.querySelector<HTMLElement>("[autofocus]") ?? dialog.querySelector("h2"))?.focus();
		return () => {
			dialog.close();
			const back = opener?.isConnected && opener !== document.body ? opener : null;
			(back ?? document.getElementById("devices-title"))?.focus();
		};
	}, []);
	return (
		<dialog
			ref={box}
			class={small ? "modal small" : "modal"}
			role={alert ? "alertdialog" : undefined}
			aria-labelledby={id}
			onKeyDown={(e) => {
				if (e.key !== "Escape") return;
				e.preventDefault();
				e.stopPropagation();
				on_close?.();
			}}
			onCancel={(e) => {
				e.preventDefault();
				e.stopPropagation();
				on_close?.();
			}}
			onClose={(e) => {
				/* The browser forced it: open it again and ask. */
				if (e.target !== box.current || !box.current?.isConnected) return;
				box.current.showModal();
				on_close?.();
			}}
			onPointerDown={(e) => {
				if (loose && e.target === box.current) on_close?.();
			}}
		>
			<div class="modal-body">
				<div class="modal-head">
					<h2 id={id} tabIndex={-1}>
						{title}
					</h2>
					{on_close && <CloseButton on_click={on_close} />}
				</div>
				{children}
				{/* The page's own live region is inert while a dialog is open. */}
				<div class="for-readers" role="status" aria-live="polite">
					{spoken.value}
				</div>
			</div>
		</dialog>
	);
}
