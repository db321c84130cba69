// What a panel says: a title, one sentence, a table, and where each number comes from. The picture is
// the same facts for the eye; every export is made from here.
import type { Format } from './format.ts';

export type Provenance = 'measured' | 'exact' | 'derived' | 'predicted' | 'recorded';

/** `how` names the formula of a derived number (the list stands in web/README.md). */
export interface Cell {
  v: number | string | null;
  src?: string;
  prov?: Provenance;
  how?: string;
}
/** A number of the sentence that stands in no cell of the table. */
export interface Said {
  text: string;
  src: string;
  how?: string;
  fmt: Format;
}
export interface Column {
  label: string;
  unit?: string;
  fmt: Format;
  mono?: boolean;
}
export interface Fact {
  title: string;
  summary: string;
  said?: Said[];
  columns: Column[];
  rows: Cell[][];
  /** Activating a row moves the cursor there. */
  go?: (row: number) => void;
  /** The row that the cursor is on. */
  at?: number;
}

/** Rows that are made when a table or a file asks for them. */
export function late<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
export const num = (
  v: number | null | undefined, src: string, prov: Provenance = 'measured', how?: string,
): Cell => ({ v: v ?? null, src, prov, how });
export const word = (v: string): Cell => ({ v });

/** CSV after RFC 4180, at full precision. A cell never begins with what a spreadsheet would run. */
export function csv(fact: Fact): string {
  const quote = (v: number | string | null) => {
    if (v === null) return '';
    if (typeof v === 'number') return Number.isNaN(v) ? '' : String(v);
    const safe = /^[=+\-@\t\r]/.test(v) ? `'${v}` : v;
    return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  const head = fact.columns.map((c) => quote(c.unit ? `${c.label} [${c.unit}]` : c.label));
  return [head, ...fact.rows.map((row) => row.map((cell) => quote(cell.v)))]
    .map((line) => line.join(',')).join('\r\n') + '\r\n';
}

export function download(blob: Blob, name: string) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
