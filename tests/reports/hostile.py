"""200 strings that try to be more than text, each carrying a canary that would set ``window.pwned``."""

from __future__ import annotations

CANARY = "window.pwned=1"
_WRAPS = (
    "<script>{}</script>",
    "</script><script>{}</script>",
    "</title></style><script>{}</script>",
    '<img src=x onerror="{}">',
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<body onload={}>",
    "<iframe srcdoc='<script>parent.{}</script>'>",
    '"><script>{}</script>',
    "' autofocus onfocus={} x='",
    '" onmouseover="{}" x="',
    "javascript:{}",
    "data:text/html,<script>{}</script>",
    "{{{{ {} }}}}",
    "{{% raw %}}{}{{% endraw %}}",
    "{{{{ ''.__class__.__mro__[1].__subclasses__() }}}} {}",
    "${{{}}}",
    "<!--<script>{}",
    "--><script>{}</script>",
    "]]><script>{}</script>",
    "<details open ontoggle={}>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror={}>",
    "<input autofocus onfocus={}>",
    "<a href='javascript:{}'>x</a>",
    "<style>@import 'javascript:{}';</style>",
    "<meta http-equiv=refresh content='0;url=javascript:{}'>",
    "<base href='javascript:{}//'>",
    "<object data='javascript:{}'>",
    "<template><script>{}</script></template>",
    "<noscript><p title='</noscript><img src=x onerror={}>'>",
    "\u2028{}\u2029",
    "\\u003cscript\\u003e{}\\u003c/script\\u003e",
    "&lt;script&gt;{}&lt;/script&gt;",
    "%3Cscript%3E{}%3C/script%3E",
    "＜script＞{}＜/script＞",
    "=HYPERLINK('javascript:{}')",
    "+{}",
    "-{}",
    "@SUM({})",
    "\t={}",
)
_AROUND = (
    "{}",
    "\u202e{}\u202c",
    "a\x00b{}\x07\x1b[2J",
    "\u200b\ufeff{}\u2066",
    "男\U0001f600{}\r\nx",
)

HOSTILE: tuple[str, ...] = tuple(
    around.format(wrap.format(CANARY).replace("{", "{{").replace("}", "}}"))
    .replace("{{", "{")
    .replace("}}", "}")
    for around in _AROUND
    for wrap in _WRAPS
)
LONG = "<b>" + "長x" * 50_000
