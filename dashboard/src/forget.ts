// Lets go of drawn trees. The library keeps the former elements of a component that draws itself
// anew, on the elements that its parent once made. Parts that were kept since, because their props
// had not changed, link from there to later trees, and those to later ones again: on a page that
// draws ten times a second, the whole day. (https://github.com/preactjs/preact/issues/4909 is one
// case.) Nothing reads a former tree once its successor is drawn, so its children are cut.

import { options, type VNode } from "preact";

/** Names inside Preact, the same in all its versions: its own add-ons hook in by them. */
interface Inside extends VNode {
  /** The component of an element. */
  __c?: object | null;
  /** The children drawn for it. */
  __k?: unknown;
}

/** Starts letting go: once, before the first drawing. */
export function forgetFormerTrees() {
  const hooks = options as { diffed?: (vnode: Inside) => void };
  const { diffed: after } = hooks;
  const drawn = new WeakMap<object, Inside>();
  hooks.diffed = (vnode) => {
    const component = vnode.__c;
    if (component != null) {
      const former = drawn.get(component);
      if (former !== undefined && former !== vnode) former.__k = null;
      drawn.set(component, vnode);
    }
    after?.(vnode);
  };
}
