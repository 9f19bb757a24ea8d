/** Puts the keyboard into a field that has just appeared; not on a phone, where that would cover half of the page. */
import { useLayoutEffect, useRef } from 'preact/hooks'

export const useFocus = () => {
  const field = useRef<HTMLInputElement>(null)
  useLayoutEffect(() => {
    if (!matchMedia('(pointer: coarse)').matches) field.current?.focus()
  }, [])
  return field
}
