/**
 * A page as somebody sees it who may only look: forms that change something become what they show, without their buttons. It works
 * on our own finished HTML, in which every value from outside is escaped, so that no view has to know about roles and none can
 * forget it. It is a courtesy: what is refused is refused by the gate (gate.ts), whatever a page shows.
 */
export function readOnly(html: string): string {
  return html
    .replace(/<form\b([^>]*)>([\s\S]*?)<\/form>/g, (whole, attributes: string, inner: string) =>
      changesSomething(attributes) ? shown(attributes, inner) : whole,
    )
    .replace(/<button\b[^>]*\s(?:hx-post|hx-delete|formaction|form)="[^>]*>[\s\S]*?<\/button>/g, '')
    .replace(/<a class="btn[^"]* danger"[^>]*>[\s\S]*?<\/a>|<a class="btn danger[^"]*"[^>]*>[\s\S]*?<\/a>/g, '')
    .replace(/<a href="\/(?:people|api-tokens|audit|settings\/(?:access|provider|proxy))"[^>]*>[^<]*<\/a>/g, '')
    .replace(/<details class="menu[^>]*>[\s\S]*?<\/details>/g, (menu) => (/<(a|button|fieldset)\b/.test(menu) ? menu : ''));
}

/** What everybody may change: his own. */
const own = /\baction="\/(theme|sign-out|account|prove|sign-in)\b/;

function changesSomething(attributes: string): boolean {
  return /\bmethod="post"/.test(attributes) && !own.test(attributes);
}

function shown(attributes: string, inner: string): string {
  const rest = inner.replace(/<button\b[\s\S]*?<\/button>/g, '').replace(/<input\b[^>]*\btype="(hidden|submit)"[^>]*>/g, '');
  // a button in a form of its own leaves nothing behind
  if (!/<(input|select|textarea|table|ul|ol|p|h[1-6])\b/.test(rest) && rest.replace(/<[^>]*>/g, '').trim() === '') return '';
  const kept = [...attributes.matchAll(/\b(id|class|aria-labelledby|aria-label)="[^"]*"/g)].map(([text]) => text);
  const style = kept.find((text) => text.startsWith('class='));
  const others = kept.filter((text) => text !== style);
  return `<fieldset disabled ${[style ? style.replace(/"$/, ' as-seen"') : 'class="as-seen bare"', ...others].join(' ')}>${rest}</fieldset>`;
}
