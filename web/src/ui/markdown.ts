// Markdown of a model, which may be anything, made into harmless HTML: parsed, then cleaned. No
// pictures, no forms, no styles, nothing that loads; links open elsewhere and tell nothing.
import DOMPurify from 'dompurify';
import { Marked } from 'marked';

/** Longer than this is shown as plain text: nobody reads it, and parsing it would stop the page. */
export const kMarkdownMax = 60000;

const marked = new Marked({ gfm: true, breaks: true, async: false });
const allowed = {
  ALLOWED_TAGS: ['p', 'br', 'b', 'strong', 'i', 'em', 'del', 'code', 'pre', 'ul', 'ol', 'li', 'h1', 'h2',
    'h3', 'h4', 'h5', 'h6', 'blockquote', 'hr', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'a'],
  ALLOWED_ATTR: ['href', 'start', 'align'],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
};

DOMPurify.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName === 'A') {
    node.setAttribute('rel', 'noopener noreferrer nofollow');
    node.setAttribute('target', '_blank');
  }
});

export function markdown(text: string): string {
  // HTML in the text is the text: it is shown, not taken.
  const safe = text.replace(/</g, '&lt;');
  return DOMPurify.sanitize(marked.parse(safe) as string, allowed);
}
