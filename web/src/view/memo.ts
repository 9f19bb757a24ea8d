/** A component that is drawn again only when a property is another one. */
import { Component, type ComponentType, type FunctionComponent, h } from 'preact'

const differ = (a: object, b: object): boolean => {
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  for (const key in left) if (left[key] !== right[key]) return true
  for (const key in right) if (!(key in left)) return true
  return false
}

export const memo = <P extends object>(Draw: FunctionComponent<P>): ComponentType<P> =>
  class extends Component<P> {
    override shouldComponentUpdate (next: Readonly<P>): boolean {
      return differ(this.props, next)
    }

    override render () {
      return h(Draw as FunctionComponent<object>, this.props)
    }
  }
