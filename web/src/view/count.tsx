/** A field for a small number: whatever is typed becomes one that the server takes. */

interface CountProps {
  readonly label: string
  readonly max: number
  readonly value: number
  readonly onCount: (count: number) => void
}

export const Count = ({ label, max, value, onCount }: CountProps) => (
  <label>{label}
    <input
      type='number' min={1} max={max} required value={value}
      onChange={({ currentTarget: field }) => {
        const count = Math.min(Math.max(Math.round(Number(field.value)) || 1, 1), max)
        // What it was already is drawn no second time.
        field.value = `${count}`
        onCount(count)
      }}
    />
  </label>
)
