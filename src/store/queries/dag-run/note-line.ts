/** SQL of a note with one line more, or as it is where that would be too long or the line is its last already. */
export function withLine(note: string, line: string, max: string): string {
  return `case when right(${note}, char_length(${line}::text)) = ${line}::text or char_length(concat_ws(E'\\n', ${note}, ${line}::text)) > ${max}::int
            then ${note} else concat_ws(E'\\n', ${note}, ${line}::text) end`;
}
