/** One frame's struct page: the fields of its kernel in their order, each with its value, its bits and what it is for. */

import type { StructField, StructPageAnswer } from '../../../src/view/struct_page.ts';
import { hex } from '../../ui/format.ts';
import { Scroll } from '../../ui/scroll.tsx';

interface StructPageProps {
  readonly page: StructPageAnswer;
  readonly onChoose: (pfn: number) => void;
}

export function StructPage({ page, onChoose }: StructPageProps) {
  const { pfn, kernel, arch, bytes, note, fields } = page;
  const what = arch === null ? `What Linux ${kernel} shows of frame` : `struct page of frame`;
  return (
    <section class="frames-struct" aria-label={`struct page of frame ${pfn}`}>
      <h2>
        {what} {pfn} <span class="note">({hex(pfn)})</span>
      </h2>
      <p class="note">
        {arch === null ? '' : `Linux ${kernel}, ${bytes} bytes on ${arch}. `}
        {note}
      </p>
      <Scroll label="Fields of struct page">
        <table>
          <thead>
            <tr>
              {arch !== null && (
                <th scope="col" class="number">
                  Byte
                </th>
              )}
              <th scope="col">Field</th>
              <th scope="col">Value, and what it is for</th>
            </tr>
          </thead>
          <tbody>
            {fields.map((field) => (
              <Field key={field.name} field={field} hasBytes={arch !== null} onChoose={onChoose} />
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function Field({
  field,
  hasBytes,
  onChoose,
}: {
  field: StructField;
  hasBytes: boolean;
  onChoose: (pfn: number) => void;
}) {
  const { name, type, offset, size, raw, value, says, bits, links } = field;
  return (
    <tr>
      {hasBytes && (
        <td class="number mono" title={`${size} bytes`}>
          {offset}
        </td>
      )}
      <th scope="row">
        <code>{name}</code>
        {hasBytes && <span class="type">{type}</span>}
      </th>
      <td>
        <code>{raw}</code>
        {value !== '' && <span class="value">{value}</span>}
        {bits !== undefined && bits.length > 0 && (
          <ul class="bits">
            {bits.map((bit) => (
              <li key={bit.name}>
                <code>{bit.name}</code> {bit.says}
              </li>
            ))}
          </ul>
        )}
        <span class="says">{says}</span>
        {links?.map((link) => (
          <button type="button" class="link" key={link.label} onClick={() => onChoose(link.pfn)}>
            {link.label}: {link.pfn}
          </button>
        ))}
      </td>
    </tr>
  );
}
