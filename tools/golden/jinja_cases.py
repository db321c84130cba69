"""The template features that tests/golden/text/templates.json pins: small templates, one idea each.

Every string here is rendered by jinja2 as transformers sets it up (see templates.py) and by our
engine;
both must give the same text, or both an error. Cases are grouped only for the reader.
"""

VARIABLES = {
    "n": 5,
    "neg": -3,
    "f": 2.5,
    "t": True,
    "no": False,
    "nil": None,
    "s": "Hello World",
    "u": "Größe ΣΑΣ ß 你好 👩‍💻 ﬁ",
    "e": "",
    "l": [3, 1, 2],
    "el": [],
    "words": ["banana", "Apple", "cherry"],
    "d": {"b": 1, "a": 2, "items": 3},
    "ed": {},
    "nested": {"x": {"y": [10, {"z": "deep"}]}},
    "users": [
        {"name": "Bob", "age": 30, "x": {"k": 2}},
        {"name": "alice", "age": 25, "x": {"k": 1}},
        {"name": "Carl", "age": 30, "x": {"k": 3}},
    ],
    "html": "<a href=\"x\">T & 'c'</a>",
    "lines": "one\ntwo\n\n  three",
    "tree": [
        {"v": "a", "c": [{"v": "b", "c": []}, {"v": "c", "c": [{"v": "d", "c": []}]}]},
        {"v": "e", "c": []},
    ],
}

EXPRESSIONS = """
1 + 2 * 3|||(1 + 2) * 3|||2 ** 3 ** 2|||-2 ** 2|||7 // 2|||-7 // 2|||7 % 3|||-7 % 3|||7 % -3|||7 / 2|||6 / 2
7.5 // 2|||-7.5 % 2|||1e3|||1.5e-7|||1e16|||123456789012345680.0|||0.1 + 0.2|||1_000|||0x1f|||0b101|||0o17|||1.0
10 ** -2|||2 ** 0.5|||0 ** 0|||1 / 3|||2.0 ** 10|||100000 * 100000|||1e300 * 1e10|||-1e300 * 1e10
1 / 0|||1 // 0|||1 % 0|||1.0 / 0|||0.0 ** -1|||'a' + 1|||1 + 'a'|||[] + {}|||none + 1|||true + true|||-true|||+true|||-'a'
'a' ~ 1 ~ none ~ true ~ 1.5|||'ab' * 3|||3 * 'ab'|||'ab' * -1|||[1] * 3|||(1, 2) * 2|||[1] + [2]|||(1,) + (2,)|||[1] + (2,)
1 < 2|||1 < 2 < 3|||1 < 3 < 2|||3 > 2 >= 2|||'a' < 'b'|||'a' < 1|||[1, 2] < [1, 3]|||(1, 2) < (1,)|||none < 1|||1 == 1.0
true == 1|||'1' == 1|||[1] == (1,)|||{'a': 1} == {'a': 1.0}|||none == none|||missing == missing|||missing == 1|||1 != 2
1 in [1, 2]|||'a' in 'abc'|||1 in 'abc'|||'a' in {'a': 1}|||1 not in [1]|||1 in missing|||missing in [1]|||missing in 'a'
1 in 5|||1 in none|||[1] in [[1]]|||'' in 'a'|||not 1 in [1]|||not true or true|||1 and 0|||0 or 'x'|||1 and 'y'|||none or false
1 if true|||1 if false|||1 if false else 2|||1 if n > 3 else 2 if n > 1 else 3|||(1 if false) is defined|||'a' if missing else 'b'
[1, 2, 3][0]|||[1, 2, 3][-1]|||[1, 2, 3][5]|||[1, 2, 3]['a']|||(1, 2).0|||'abc'[1]|||'abc'[-1]|||'abc'[9]|||'你好吗'[1]|||l[true]
l[1:]|||l[:1]|||l[::-1]|||l[-2:]|||l[1:2]|||l[5:]|||s[::2]|||s[::-1]|||s[-3:-1]|||u[2:9]|||u[::-1]|||u[::3]|||s[4:1]|||s[4:1:-1]|||s[::0]
range(10)[2:8:2]|||range(5)[::-1]|||range(3)|||range(0, 10, 3)|||range(5, 0, -2)|||range(3)|list|||range(100001)|||range(1, 2, 0)
range('a')|||range()|||range(3) == range(0, 3)|||3 in range(5)|||range(5).index(3)|||d['b']|||d.b|||d.nope|||d['nope']|||d.items
d['items']|||d.items()|list|||d.keys()|list|||d.values()|list|||d.keys()|||d.items()|||d.get('b')|||d.get('q')|||d.get('q', 7)|||d.get()
d.copy()|||d.pop('b')|||d.update({})|||d.pop|||d.pop is defined|||d.clear()|||l.append(1)|||l.pop()|||l.sort()|||l.index(1)|||l.index(9)
l.count(1)|||l.copy()|||nested.x.y[1].z|||nested['x']['y'][0]|||nested.x.y.1.z|||nested.q.y|||missing|||missing.x|||missing['x']
missing + 1|||1 - missing|||-missing|||missing()|||missing|length|||missing|list|||missing[1:]|||missing < 1|||missing ~ 'x'|||not missing
none.x|||none['x']|||nil[1:]|||none|length|||5|length|||5.x|||n.real|||n.bit_length()|||f.is_integer()|||f.nope|||n[0]|||t.real
s.__class__|||s.__class__.__mro__|||d.__class__|||''.__class__()|||d._x|||s['__len__']|||l.__len__()
{'a': 1, 'b': [1, 2.5, none, true, 'x']}|||{1: 'a', 1.0: 'b', true: 'c'}|||{'a': 1}['a']|||{[1]: 2}|||{(1, 2): 3}[(1, 2)]|||{}|||[]|||()|||(1,)
(1, 2)|||1, 2|||[1, 2,]|||{'a': 1,}|||{none: 1}|||'it''s'|||'a' 'b'|||"tab\\tnew\\nx\\x41\\u00e9\\101\\q"|||'\\U0001f600'|||'\\xg'|||'\\'
'%s and %d' % ('a', 3)|||'%s' % 'x'|||'%05.1f|%-5d|%+d|%x|%X|%o|%e|%g' % (3.14159, 42, 7, 255, 255, 8, 12345.678, 0.0001)
'%(a)s-%(b)d' % {'a': 1, 'b': 2}|||'%s %s' % (1,)|||'%d' % 'a'|||'%s' % (1, 2)|||'%%'  % ()|||'%5s|%-5s|%.2s' % ('a', 'b', 'xyz')
'%r %a' % ('a', 'b')|||'%c%c' % (65, 'b')|||'%#x %#o' % (255, 8)|||'%*d' % (5, 42)|||'%s' % none|||'%s' % [[1]]|||'%q' % 1|||'%' % 1
'%d' % 3.9|||'%d' % true|||'%i|%u' % (1, 2)|||'% d' % 5|||'%x' % 1.5|||'%s' % {'a': 1}|||'%.3d' % 5|||'%e' % 0|||'%G' % 1e-10|||'abc' % []
'abc' % (1,)|||'abc' % 1|||'abc' % {}|||'%s' % missing|||'%d' % missing|||5 % missing|||'%08.3f' % -3.14159|||'%+.2e' % 12345.678
'{} {}'.format(1, 'a')|||'{0}{1}{0}'.format('a', 'b')|||'{x}'.format(x=1)|||'{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd')
'{:05d}|{:+d}|{:x}|{:#x}|{:b}|{:,}|{:_}'.format(42, 7, 255, 255, 5, 1234567, 1234567)|||'{:.2f}|{:e}|{:g}|{:%}'.format(3.14159, 12345.678, 0.00001, 0.256)
'{0[a]} {0.a} {1[0]}'.format({'a': 1}, [5])|||'{!r} {!s}'.format('a', 'b')|||'{{}} {}'.format(1)|||'{} {}'.format(1)|||'{'.format(1)|||'}'.format()
'{:{w}}'.format('a', w=5)|||'{0} {}'.format(1, 2)|||'{} {0}'.format(1, 2)|||'{:d}'.format('a')|||'{:s}'.format(1)|||'{:>3}'.format(none)|||'{x}'.format()
'{:.3}'.format('abcdef')|||'{:010.2f}'.format(-3.14159)|||'{:c}'.format(65)|||'{:.2}'.format(3.14159)|||'{:.3}'.format(1234.5)|||'{:.0f}'.format(2.5)
'{:=+8d}'.format(42)|||'{: d}'.format(42)|||'{:,.2f}'.format(1234567.891)|||'{}'.format(1.0)|||'{:}'.format(true)|||'{:d}'.format(true)|||'{:08,}'.format(1234)
'{a.__class__}'.format(a=1)|||'{0.nope}'.format(1)|||'{x}'.format_map({'x': 3})
"""

METHODS = """
'  ab '.strip()|||'xxabxx'.strip('x')|||'xyabyx'.lstrip('xy')|||'abxx'.rstrip('x')|||'\\u3000a\\u2003'.strip()|||'aßa'.strip('aß')|||'a'.strip(none)|||'a'.strip(1)
'a,b,,c'.split(',')|||' a  b '.split()|||'a b c'.split(' ', 1)|||'a b c'.split(none, 1)|||'a b c'.split(maxsplit=1)|||'a,b,c'.rsplit(',', 1)
' a  b  c '.rsplit(none, 1)|||''.split()|||''.split(',')|||'abc'.split('')|||'aXbXc'.split('X')[-1]|||'a b'.split(sep=' ')|||'a  b '.rsplit()
'a\\nb\\r\\nc\\rd'.splitlines()|||'a\\nb\\n'.splitlines(true)|||'a\\x0bb\\x1cc\\u2028d'.splitlines()|||''.splitlines()|||'\\n'.splitlines()
'abc'.startswith('a')|||'abc'.startswith(('x', 'a'))|||'abc'.endswith('bc')|||'abc'.endswith(())|||'abc'.startswith('b', 1)|||'abc'.startswith(1)|||'abc'.endswith('b', 0, 2)
'abc'.startswith(['a'])|||'abc'.startswith('')|||''.startswith('', 1)|||'a-b-c'.replace('-', '+')|||'a-b-c'.replace('-', '+', 1)|||'abc'.replace('', '.')|||'abc'.replace('a')
'äöü'.replace('', '-')|||'aaa'.replace('aa', 'b')|||'hello'.find('l')|||'hello'.find('z')|||'hello'.rfind('l')|||'hello'.index('l')|||'hello'.index('z')
'hello'.find('l', 3)|||'hello'.find('l', 3, 3)|||'你好你'.find('你', 1)|||'你好你'.rfind('你')|||'hello'.rindex('l')|||'hello'.find('', 9)|||'hello'.count('l')|||'aaa'.count('aa')
'abc'.count('')|||'hello'.count('l', 3)|||'-'.join(['a', 'b'])|||'-'.join('abc')|||'-'.join([1])|||'-'.join([])|||'-'.join(d)|||'a'.upper()|||u.upper()|||u.lower()
u.title()|||u.capitalize()|||u.casefold()|||u.swapcase()|||'ΑΣ ΑΣΑ Σ'.lower()|||'they\\'re bill\\'s'.title()|||'ǆ ǅ'.title()|||'ŉ'.upper()|||'İ'.lower()|||'ﬁx'.capitalize()
'42'.zfill(5)|||'-42'.zfill(5)|||'+'.zfill(3)|||'a'.center(6)|||'ab'.center(5, '*')|||'a'.ljust(3) ~ '|'|||'a'.rjust(3, '.')|||'a'.center(4, 'ab')|||'a\\tb'.expandtabs(4)
'abc'.removeprefix('a')|||'abc'.removesuffix('c')|||'abc'.removesuffix('')|||'a=b=c'.partition('=')|||'a=b=c'.rpartition('=')|||'abc'.partition('=')|||'abc'.rpartition('=')|||'a'.partition('')
'12'.isdigit()|||'²'.isdigit()|||'²'.isdecimal()|||'½'.isnumeric()|||''.isdigit()|||'ab'.isalpha()|||'a1'.isalnum()|||' '.isspace()|||'aB'.islower()|||'AB1'.isupper()|||'Ab Cd'.istitle()
'a_1'.isidentifier()|||'1a'.isidentifier()|||'é'.isascii()|||'a\\n'.isprintable()|||'一'.isnumeric()|||'１'.isdigit()|||'ª'.islower()|||'Ⅷ'.isupper()|||'abc'.upper(1)|||'abc'.nope()
'a'.encode|||s.split|||(1, 2, 1).count(1)|||(1, 2).index(2)|||'a'.format|||range(5).count(2)|||range(5).start|||'x'.join(u[:3])|||'ab'.title
"""

FILTERS = """
-3|abs|||-2.5|abs|||true|abs|||'a'|abs|||d|attr('b')|||d|attr('get')|||s|attr('upper')|||[1,2,3,4,5]|batch(2)|list|||[1,2,3]|batch(2, 'x')|list|||[]|batch(2)|list|||[1,2]|batch(0)|list
'hELLO wORLD'|capitalize|||'ab'|center(6)|||'ab'|center|length|||missing|default('x')|||none|default('x')|||none|default('x', true)|||''|d('y', boolean=true)|||0|default|||missing|d
d|dictsort|||{'b': 1, 'A': 2}|dictsort|||{'b': 1, 'A': 2}|dictsort(true)|||d|dictsort(by='value')|||d|dictsort(reverse=true)|||d|dictsort(false, 'x')|||l|dictsort|||{1: 2, 'a': 3}|dictsort
html|e|||html|escape|forceescape|||html|e|e|||html|safe|e|||('<'|e) + '<'|||('<'|e) ~ '<'|||'<' + ('<'|e)|||('%s'|e) % '<'|||('<b>'|safe).upper()|||[('<'|e)]|||('{}'|safe).format('<')|||(','|e).join(['<'])|||html|e|length
1|filesizeformat|||500|filesizeformat|||1500|filesizeformat|||1500000|filesizeformat|||1536|filesizeformat(true)|||'x'|filesizeformat|||1e30|filesizeformat|||999.5|filesizeformat
l|first|||el|first|||s|first|||d|first|||l|last|||el|last|||s|last|||d|last|||range(3)|last|||5|first|||(l|map('string'))|last|||'3.5'|float|||'x'|float|||'x'|float(1.5)|||none|float|||' 1e3 '|float|||'inf'|float
missing|float|||'nan'|float|||'1_0'|float|||'%s-%s'|format(1, 2)|||'%(a)s'|format(a=1)|||'%s'|format(1, a=2)|||'%d'|format('x')|||'x'|format|||1|format
users|groupby('age')|list|||users|groupby('age')|map(attribute='grouper')|list|||users|groupby('name')|map(attribute='0')|list|||users|groupby('nope')|list|||users|groupby('nope', default='q')|list|||['a', 'B', 'A']|groupby('0')|list
users|groupby('x.k')|map('first')|list|||[{'a': 'x'}, {'a': 'X'}]|groupby('a')|length|||[{'a': 'x'}, {'a': 'X'}]|groupby('a', case_sensitive=true)|length
lines|indent|||lines|indent(2)|||lines|indent(2, true)|||lines|indent(2, blank=true)|||lines|indent('> ')|||'a\\n'|indent|||''|indent(first=true)|||5|indent|||'a\\rb'|indent|||'a'|indent(-1)
'42'|int|||'42.7'|int|||'x'|int|||'x'|int(7)|||'ff'|int(base=16)|||'0x1f'|int(0, 16)|||3.9|int|||-3.9|int|||none|int|||true|int|||' 12 '|int|||'1_000'|int|||'１２'|int|||missing|int|||[]|int|||'1e3'|int|||'0b11'|int(0, 2)|||'z'|int(0, 36)|||''|int|||'-'|int|||'inf'|int
[1, 2]|join|||[1, 2]|join(', ')|||users|join(', ', attribute='name')|||'abc'|join('-')|||d|join|||5|join|||[none, true]|join('|')|||[1,2]|join(3)|||users|join('-', 'age')|||[missing]|join
s|length|||l|count|||d|length|||u|length|||(l|map('int'))|length|||range(7)|length|||s|list|||d|list|||u|list|||l|list|||5|list|||'ABC'|lower|||5|lower|||none|upper
l|map('string')|list|||words|map('upper')|join(' ')|||users|map(attribute='name')|list|||users|map(attribute='x.k')|list|||users|map(attribute='nope')|list|||users|map(attribute='nope', default=1)|list|||l|map()|list|||l|map('nope')|list
l|map()|||el|map()|list|||users|map('attr', 'name')|list|||['1', 'x']|map('int', 9)|list|||l|map(attribute='x', foo=1)|list|||l|map('string') is iterable|||[[1, 2], [3, 4]]|map('first')|list|||['a b', 'c']|map('replace', ' ', '_')|list|||[[3,1],[2]]|map('sort')|list|||'ab'|map('upper')|list
l|max|||l|min|||el|max|||words|max|||words|min|||words|max(true)|||users|max(attribute='age')|||users|min(attribute='name')|||[1, 'a']|max|||[2, 1.5, true]|min|||'hello'|max|||5|max
d|pprint|||'a'|pprint|||[1, [2, {'b': none, 'a': 1}]]|pprint|||l|select('odd')|list|||l|reject('odd')|list|||l|select|list|||[0, 1, '', 'x', none]|select|list|||[0, 1]|reject|list|||l|select('>', 1)|list|||l|select('in', [1, 2])|list
l|select('nope')|list|||l|select('nope')|||l|select('divisibleby', 2)|list|||users|selectattr('age', 'gt', 26)|map(attribute='name')|list|||users|selectattr('nope')|list|||users|rejectattr('age', '==', 30)|map(attribute='name')|list|||users|selectattr('x.k', 'odd')|list|length|||users|selectattr()|list
users|selectattr('name', 'defined')|list|length|||users|rejectattr('name', 'equalto', 'Bob')|list|length|||[{'a': 1}, {}]|selectattr('a', 'defined')|list|||[{'a': none}, {}]|selectattr('a', 'none')|list|||missing|select('odd')|list|||5|select|list
'aXbX'|replace('X', '-')|||'aXbX'|replace('X', '-', 1)|||5|replace(5, 6)|||'a'|replace('a')|||'abc'|replace('', '-')|||none|replace('N', 'n')|||'<a>'|replace('a', 'b'|e)|||l|reverse|list|||'abc'|reverse|||d|reverse|list|||5|reverse|||range(3)|reverse|list|||(l|map('int'))|reverse|||l|reverse is iterable|||u|reverse
2.5|round|||3.5|round|||2.675|round(2)|||1234.5|round(-2)|||42|round|||42|round(-1)|||45|round(-1)|||2.1|round(0, 'ceil')|||2.9|round(method='floor')|||2.123|round(2, 'ceil')|||2.5|round(1, 'x')|||'a'|round|||-0.5|round|||1e20|round|||true|round|||5|round(1, 'floor')|||0.5|round|||1.005|round(2)
[1,2,3,4,5]|slice(2)|list|||[1,2,3,4,5]|slice(3, 'x')|list|||[]|slice(2)|list|||[1]|slice(0)|list|||[1,2]|slice(3)|list|||l|sort|||l|sort(reverse=true)|||words|sort|||words|sort(case_sensitive=true)|||users|sort(attribute='age')|map(attribute='name')|list|||users|sort(attribute='age,name')|map(attribute='name')|list
users|sort(true, attribute='age')|map(attribute='name')|list|||[1, 'a']|sort|||d|sort|||'hello'|sort|||[none, 1]|sort|||[[2, 1], [1, 2]]|sort|||users|sort(attribute='x.k')|map(attribute='name')|list|||[true, 0, 2]|sort|||5|sort|||[3, missing]|sort|||users|sort
5|string|||none|string|||l|string|||html|e|string is escaped|||'<p>Hello&nbsp;<b>World</b> <!-- c --> &amp; &lt;x</p>'|striptags|||'a  b\\n c'|striptags|||[1, 2, 3.5]|sum|||users|sum(attribute='age')|||[[1], [2]]|sum(start=[])|||[]|sum|||['a']|sum|||l|sum(start=10)|||['a']|sum(start='')|||[none]|sum
'hello wORLD-foo (bar) it\\'s'|title|||u|title|||{'a': 'ü', 'b': [1, none, true, 1.5]}|tojson|||'<>&"\\''|tojson|||d|tojson(indent=2)|||[1, [2, {}], []]|tojson(indent=4)|||'é'|tojson(ensure_ascii=true)|||'é'|tojson(true)|||'👍'|tojson(ensure_ascii=true)|||d|tojson(sort_keys=true)|||d|tojson(separators=(',', ':'))|||l|tojson(indent='--')
{1: 2, none: 3, true: 4, 1.5: 5}|tojson|||{(1,): 2}|tojson|||missing|tojson|||range(3)|tojson|||(1, 2)|tojson|||'\\x00\\x1f\\x7f\\u2028'|tojson|||1e100|tojson|||d|tojson(2)|||d|tojson(none, 2)|||l|tojson(indent=0)|||l|tojson(indent=-1)|||l|tojson(indent=true)|||d|tojson(foo=1)|||d.items()|tojson|||('nan'|float)|tojson|||d|tojson(indent=2, separators=(', ', ': '))|||nested|tojson(indent=1, sort_keys=true)
{'b': 1, 2: 3}|tojson(sort_keys=true)|||'a'|safe|tojson|||d|tojson(indent=2.5)|||d|tojson(separators='ab')|||d|tojson(separators=[','])|||'  a '|trim|||'xxaxx'|trim('x')|||5|trim|||'a b c d e f g'|truncate(9)|||'a b c d e f g'|truncate(5)|||'abcdefghijklmnop'|truncate(8, true)|||'abcdefghijklmnop'|truncate(8, true, '', 0)|||'hello world foo'|truncate(8, leeway=0)|||'abc'|truncate(1)|||5|truncate|||'hello'|truncate(5, end='…', leeway=0)
[1, 2, 1.0, true, 'a', 'A']|unique|list|||['a', 'A']|unique(true)|list|||users|unique(attribute='age')|map(attribute='name')|list|||[[1]]|unique|list|||'abA'|unique|list|||'a b/c?d=é'|urlencode|||{'a b': 'c/d', 'x': 1}|urlencode|||[('a', 1), ('b', 'ü')]|urlencode|||5|urlencode|||[1]|urlencode|||none|urlencode
'a b  c-d e_f'|wordcount|||u|wordcount|||''|wordcount|||'The quick brown fox jumps over the lazy dog'|wordwrap(12)|||'a-b-c hyphen-ated-word here'|wordwrap(8)|||'abcdefghijklmnopqrstuvwxyz'|wordwrap(10)|||'abcdefghijklmnopqrstuvwxyz abc'|wordwrap(10, false)|||lines|wordwrap(4)|||'a b c'|wordwrap(3, wrapstring='|')|||'word--dash and more--text'|wordwrap(9)|||'a'|wordwrap(0)|||'foo-bar-baz'|wordwrap(5, break_on_hyphens=false)|||''|wordwrap|||'x\\n\\ny'|wordwrap(3)|||'e-mail 3-4-5 x--y'|wordwrap(4)
{'class': 'a b', 'id': none, 'x': missing, 'n': 5}|xmlattr|||{'a': '<'}|xmlattr(false)|||{'a b': 1}|xmlattr|||{}|xmlattr|||5|xmlattr|||'x'|nofilter|||d|items|list|||missing|items|list|||5|items|list|||5|items|||l|length > 2|||-1|abs + 1|||'a'|upper ~ 'b'|||'a' ~ 'b'|upper|||not l|length|||l|join('-')|upper|replace('-', '')
n|string|length|||1 + 2|string|||(1 + 2)|string|||'a' in ['a']|join|||s|lower|title|trim|length|||[l, el]|map('length')|list|||l|list|first|||l|map('abs')|map('string')|join|||words|map('lower')|map('capitalize')|list|||d|list|sort|join|||d.values()|sum|||d.items()|sort|||d|dictsort|first|last|||d.keys()|first|||d.items()|last|||(d.items()|list)[0][1]|||d.keys()|sort
"""

TESTS = """
3 is odd|||3 is even|||4 is divisibleby 2|||4 is divisibleby(3)|||4 is divisibleby 0|||'a' is odd|||2.0 is even|||n is defined|||missing is defined|||missing is undefined|||d.q is undefined|||d.q.r is undefined|||none is none|||missing is none|||1 is none
true is boolean|||1 is boolean|||false is false|||0 is false|||true is true|||1 is true|||1 is integer|||true is integer|||1.0 is integer|||1.0 is float|||'a' is lower|||'aB' is lower|||'A1' is upper|||'' is lower|||5 is upper|||'a' is string|||5 is string|||d is mapping|||l is mapping
1 is number|||true is number|||'1' is number|||l is sequence|||'a' is sequence|||d is sequence|||5 is sequence|||missing is sequence|||range(3) is sequence|||(l|map('int')) is sequence|||d.items() is sequence|||l is iterable|||5 is iterable|||none is iterable|||missing is iterable|||'a' is iterable
range is callable|||5 is callable|||s.upper is callable|||missing is callable|||d is callable|||namespace() is callable|||none is sameas none|||true is sameas true|||1 is sameas true|||l is sameas l|||[1] is sameas [1]|||'a' is escaped|||('a'|e) is escaped|||1 is in [1]|||1 is in 5|||'a' is in 'abc'|||1 is not in [1]
1 is eq 1|||1 is == 1|||1 is equalto 2|||1 is ne 2|||2 is gt 1|||2 is greaterthan 1|||2 is ge 2|||1 is lt 2|||1 is lessthan 2|||1 is le 1|||'a' is lt 1|||'upper' is filter|||'nope' is filter|||'odd' is test|||'nope' is test|||5 is filter|||[] is filter|||1 is not odd|||not 1 is odd|||1 is odd is even|||1 is odd and 2 is even|||1 is nope
missing is nope|||1 is eq(1)|||1 is divisibleby 1 or false|||x is defined and x.y|||1 is odd()|||1 is eq|||1 is odd 2|||'a' is string and 'b' is string|||1 if 1 is odd else 2|||[1 is odd, 2 is odd]|||1 is defined|string|||(1 is defined)|string|||n is number ~ 'x'|||-1 is odd|||2 ** 2 is eq 4|||1 + 1 is eq 2
"""

STATEMENTS = [
    # output, white space, raw, comments
    "a\n{% if true %}\nb\n{% endif %}\nc",
    "  {% if true %}  \n  x\n  {% endif %}  y",
    "a {%- if true %} b {%- endif %} c",
    "a {%+ if true %} b {%+ endif %} c",
    "  {%+ if true %}x{% endif %}",
    "{% if true +%}\nx{% endif %}",
    "{% if true -%}\n\n  x{% endif %}",
    "{{ 1 -}}  \n {{- 2 }}",
    "a\n  {{- 1 }}",
    "  {{+ 1 }}",
    "{# c #}\nx",
    "a {#- c -#} b",
    "  {# c #}  \nx",
    "{# multi\nline #}y",
    "{# {{ x }} {% if %} #}z",
    "{% raw %}{{ x }}{% y %}{% endraw %}",
    "{% raw -%}  a  {%- endraw %} b",
    "  {% raw %}\nx\n  {% endraw %}\ny",
    "a{% raw %} {{ {% endraw -%}  b",
    "{%raw%}x{%endraw%}",
    "{% raw %}x",
    "{# x",
    "{{ 'a' }}\n",
    "a\n\n",
    "\n",
    "",
    "a\r\nb\rc\n",
    "{{ '\r\n'|length }}",
    "{{ 'a\nb' }}",
    "{%- set x = 1 -%}\n\n{{ x }}",
    "{% set x = 1 %}\n{% set y = 2 %}\n{{ x }}{{ y }}",
    "x{% set a = 1 %}\n\ny",
    "{{ {'a': {'b': 1}}.a.b }}",
    "{{ {'a': {'b': {}}} }}",
    "{{'}}'}}",
    "{{ '%}' }}",
    "{% if '%}' %}x{% endif %}",
    "{ {a} }",
    "{{ 1 }}}",
    "{",
    "{%",
    "{{",
    "{{ 1",
    "{% if",
    "%} }} #}",
    "{{ }}",
    "{{ 1 2 }}",
    "{{ a b }}",
    "{{ (1 }}",
    "{{ [1) }}",
    "{{ 1) }}",
    "{{ ! }}",
    "{{ a! }}",
    "{{ 'a }}",
    "{{ $ }}",
    "{{ 1. }}",
    "{{ .5 }}",
    "{{ 1.real }}",
    "{{ a..b }}",
    "{{ é }}",
    "{% set é = 1 %}{{ é }}",
    "{{ 01 }}",
    "{{ 1__0 }}",
    "{{ 1e }}",
    "{{ 0x }}",
    "{{ 1if true else 2 }}",
    "{{ 1;2 }}",
    "{{ a = 1 }}",
    "{% nope %}",
    "{% endif %}",
    "{% if %}{% endif %}",
    "{% if 1 %}",
    "{% if 1 %}{% else %}{% elif 2 %}{% endif %}",
    "{% 1 %}",
    "{% print 1, 'a' %}",
    "{% print %}",
    "{% do 1 %}",
    "{%if true%}a{%endif%}",
    "{% if true: %}x{% endif %}",
    # if
    "{% if n == 5 %}a{% elif n == 6 %}b{% else %}c{% endif %}",
    "{% if 0 %}a{% elif '' %}b{% elif [] %}c{% elif {} %}d{% else %}e{% endif %}",
    "{% if missing %}a{% else %}b{% endif %}",
    "{% if l|map('int') %}a{% endif %}",
    "{% if el|map('int') %}a{% endif %}",
    "{% if range(0) %}a{% else %}b{% endif %}",
    "{% if 0.0 %}a{% else %}b{% endif %}",
    "{% if false %}{{ x|nope }}{% endif %}ok",
    "{% if false %}{% for x in l %}{{ x|nope }}{% endfor %}{% endif %}ok",
    "{{ 'a' if true else x|nope }}",
    "{{ x|nope if false else 'b' }}",
    "{% for x in [] %}{{ x|nope }}{% endfor %}",
    "{% if x is nope %}{% endif %}",
    "{% if false and x is nope %}{% endif %}ok",
    "{% macro m() %}{{ x|nope }}{% endmacro %}ok",
    "{% if 1, 0 %}a{% endif %}",
    "{% if () %}a{% else %}b{% endif %}",
    "{% if 1 if 2 %}{% endif %}",
    # set
    "{% set x = 1 %}{{ x }}",
    "{% set x, y = 1, 2 %}{{ x }}{{ y }}",
    "{% set (x, y) = [1, 2] %}{{ x }}{{ y }}",
    "{% set x, (y, z) = 1, (2, 3) %}{{ x }}{{ y }}{{ z }}",
    "{% set x, y = 1 %}",
    "{% set x, y = [1] %}",
    "{% set x, y = [1, 2, 3] %}",
    "{% set x, y = 'ab' %}{{ y }}",
    "{% set x %}a{{ n }}b{% endset %}{{ x }}|{{ x|length }}",
    "{% set x | upper %}abc{% endset %}{{ x }}",
    "{% set x | replace('a', 'b') | upper %}abc{% endset %}{{ x }}",
    "{% set x.y = 1 %}",
    "{% set s.y = 1 %}",
    "{% set d.y = 1 %}",
    "{% set 1 = 2 %}",
    "{% set true = 2 %}",
    "{% set x[0] = 1 %}",
    "{% set x = %}",
    "{% set = 1 %}",
    "{% set x, = (1,) %}{{ x }}",
    "{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{% set ns.b = 3 %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}{{ ns.c }}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}",
    "{% set ns = namespace() %}{% set ns._x = 1 %}",
    "{% set ns = namespace(_x=1) %}",
    "{% set ns = namespace(a=1) %}{{ ns }}",
    "{% set ns = namespace(items=[]) %}{{ ns.items }}",
    "{% set ns = namespace() %}{% set ns.x %}blk{% endset %}{{ ns.x }}",
    "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a + ns.b }}",
    "{{ namespace(1) }}",
    "{{ namespace([('a', 1)]).a }}",
    "{% set ns = namespace() %}{{ ns.x is defined }}{{ ns == ns }}",
    "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
    "{% for i in l %}{{ y is defined }}{% set y = i %}{% endfor %}{{ y is defined }}",
    "{% if true %}{% set q = 1 %}{% endif %}{{ q }}",
    "{% set n = 9 %}{{ n }}",
    "{% set x = x %}{{ x is defined }}",
    "{% set x = 1 if false %}{{ x is defined }}",
    "{% set s = s|upper %}{{ s }}",
    "{% set a = b = 1 %}",
    "{% set x = 1, 2 %}{{ x }}",
    # for
    "{% for x in l %}{{ x }}{% endfor %}",
    "{% for x in el %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in l if x > 1 %}{{ x }}{{ loop.index }}{{ loop.length }}{% endfor %}",
    "{% for x in l if x > 9 %}{% else %}E{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}",
    "{% for c in u[:4] %}[{{ c }}]{% endfor %}",
    "{% for x in missing %}{% else %}E{% endfor %}",
    "{% for x in none %}{% endfor %}",
    "{% for x in 5 %}{% endfor %}",
    "{% for a, b in [[1, 2], (3, 4)] %}{{ a }}{{ b }}{% endfor %}",
    "{% for a, b in [1] %}{% endfor %}",
    "{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}|{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}{{ x }}{{ loop.nextitem }}|{% endfor %}",
    "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle() }}{% endfor %}",
    "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }}{% endfor %}",
    "{% for x in l %}{{ loop.nope }}{% endfor %}",
    "{% for x in l %}{{ loop }}{% endfor %}",
    "{% for x in l %}{{ loop['index'] }}{{ loop|length }}{% endfor %}",
    "{{ loop }}{{ loop is defined }}",
    "{% for x in l %}{% endfor %}{{ loop is defined }}{{ x is defined }}",
    "{% for x in l %}{% set loop = 1 %}{% endfor %}",
    "{% for loop in l %}{% endfor %}",
    "{% for x in l|map('string') %}{{ loop.length }}{{ loop.last }}{% endfor %}",
    "{% for x in l|map('string') %}{{ loop.last }}{{ loop.revindex }}{{ loop.nextitem }}{% endfor %}",
    "{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in l %}{% set outer = loop %}{% for y in [1] %}{{ outer.index }}{{ loop.index }}{% endfor %}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% continue %}{% else %}E{% endfor %}",
    "{% for x in l %}{% break %}{% else %}E{% endfor %}",
    "{% for x in l %}{{ x }}{% break %}{% endfor %}z",
    "{% break %}",
    "{% for x in l %}{% else %}{% break %}{% endfor %}",
    "{% for y in l %}{% for x in [] %}{% else %}{{ y }}{% break %}{% endfor %}{% endfor %}",
    "{% for x in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for x in l %}{% set z %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endset %}{{ z }}{% endfor %}",
    "{% for x in l %}{% with y = x %}{% continue %}{% endwith %}{% endfor %}ok",
    "{% for x in l %}{% filter upper %}{% break %}{% endfilter %}{% endfor %}ok",
    "{% for x in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}ok",
    "{% for x in tree recursive %}{{ x.v }}{{ loop.depth }}{% if x.c %}({{ loop(x.c) }}){% endif %}{% endfor %}",
    "{% for x in tree recursive %}[{{ x.v }}{{ loop.index }}{{ loop.length }}{{ loop.depth0 }}{{ loop(x.c) }}]{% else %}-{% endfor %}",
    "{% for x in l %}{{ loop([1]) }}{% endfor %}",
    "{% for x in l recursive %}{{ loop(5) }}{% endfor %}",
    "{% for x in [[1, [2]], [3]] recursive %}{% if x is iterable %}{{ loop(x) }}{% else %}{{ x }}{% endif %}{% endfor %}",
    "{% for x in tree if x.c recursive %}{{ x.v }}{{ loop(x.c) }}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% for x in range(5) if ns.n < 2 %}{% set ns.n = ns.n + 1 %}{{ x }}{% endfor %}",
    "{% set ns = namespace(found=false) %}{% for x in l %}{% if x == 1 %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }}",
    "{% for x in l recursive %}{{ x }}{% endfor %}",
    "{% for x in range(3) %}{{ x }}{% endfor %}",
    "{% for x in 'a', 'b' %}{{ x }}{% endfor %}",
    "{% for x in l if x if x > 1 %}{{ x }}{% endfor %}",
    "{% for x in l %}x",
    "{% for x %}{% endfor %}",
    "{% for in l %}{% endfor %}",
    "{% for x in %}{% endfor %}",
    "{% for x.y in l %}{% endfor %}",
    "{% for x in (l if n else el) %}{{ x }}{% endfor %}",
    "{% for x in l if n else el %}{{ x }}{% endfor %}",
    "{% for x in d.items() %}{{ x }}{{ x[0] }}{{ x.0 }}{% endfor %}",
    "{% for x in l %}{{ x if not loop.last else 'L' }}{% endfor %}",
    "{% for (k, v) in d|dictsort %}{{ k }}{{ v }}{% endfor %}",
    "{% for g, us in users|groupby('age') %}{{ g }}:{{ us|length }};{% endfor %}",
    "{% for g in users|groupby('age') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}",
    "{% for x, in [[1], [2]] %}{{ x }}{% endfor %}",
    "{% for x in l|batch(2) %}{{ x }}{% endfor %}",
    "{% for a in [1, 2] %}{% for b in [a, a * 10] %}{{ a }}{{ b }},{% endfor %}{% endfor %}",
    "{% for x in l %}{{ l[loop.index0] }}{{ loop.index0 == loop.length - 1 }}{% endfor %}",
    "{% for a in loop_missing %}{% endfor %}x",
    "{% for i in range(3) %}{% set x = i %}{% endfor %}{{ x }}",
    # macros, call, filter, with, block
    "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=4) }}{{ m() }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=2) }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}",
    "{% macro m(a, a) %}{% endmacro %}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}",
    "{% macro m(a=b, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m() }}",
    "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}",
    "{% macro m(a) %}{{ a + 1 }}{% endmacro %}{{ m() }}",
    "{{ m() }}{% macro m() %}x{% endmacro %}",
    "{% macro m() %}{{ n }}{% endmacro %}{{ m() }}",
    "{% set q = 1 %}{% macro m() %}{{ q }}{% endmacro %}{% set q = 2 %}{{ m() }}",
    "{% macro m(x) %}{% if x > 0 %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(3) }}",
    "{% macro m() %}{% set z = 1 %}{{ z }}{% endmacro %}{{ m() }}{{ z is defined }}",
    "{% macro m(a, b) %}{% endmacro %}{{ m }}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.caller }}",
    "{% macro m() %}  x\n{% endmacro %}[{{ m() }}]{{ m()|trim|upper }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}body{% endcall %}",
    "{% macro m() %}<{{ caller(1, 2) }}>{% endmacro %}{% call(a, b) m() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% macro m() %}x{% endmacro %}{% call m() %}{% endcall %}",
    "{% macro m(x) %}{{ caller(x) }}{% endmacro %}{% for i in l %}{% call(y) m(i) %}{{ y }}{{ i }},{% endcall %}{% endfor %}",
    "{% call 5 %}{% endcall %}",
    "{% call x %}{% endcall %}",
    "{% macro m(caller=none) %}{{ caller() if caller }}{% endmacro %}{{ m() }}{% call m() %}z{% endcall %}",
    "{% macro m(caller) %}{{ caller() }}{% endmacro %}{% call m() %}z{% endcall %}",
    "{% macro m() %}{% if caller %}C{% else %}N{% endif %}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}",
    "{% macro a() %}[{{ caller() }}]{% endmacro %}{% macro b() %}{% call a() %}{{ caller() }}{% endcall %}{% endmacro %}{% call b() %}x{% endcall %}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1]) }}{{ m(**{'a': 2}) }}{{ m(*[1, 2]) }}",
    "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(1, *[2]) }}{{ m(*[1], **{'b': 3}) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(a=1, a=2) }}",
    "{{ range(*[1, 4])|list }}",
    "{{ dict(a=1, **{'b': 2}) }}",
    "{{ dict([('a', 1)], b=2) }}{{ dict() }}{{ dict({'x': 1}) }}",
    "{{ dict(1) }}",
    "{{ dict([1]) }}",
    "{{ f(1) }}",
    "{{ n() }}",
    "{{ s() }}",
    "{{ range(1)(2) }}",
    "{{ 'a'.upper()() }}",
    "{% filter upper %}a{{ s }}b{% endfilter %}",
    "{% filter replace('a', 'b')|upper %}xa{% endfilter %}",
    "{% filter nope %}{% endfilter %}",
    "{% filter trim %}  x  {% set v = 1 %}{% endfilter %}{{ v is defined }}",
    "{% filter indent(2, true) %}a\nb{% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}",
    "{% with a = 1, b = a %}{{ b is defined }}{% endwith %}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q is defined }}",
    "{% with n = n + 1 %}{{ n }}{% endwith %}{{ n }}",
    "{% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %}",
    "{% with (a, b) = (1, 2) %}{{ a }}{{ b }}{% endwith %}",
    "{% block x %}a{{ n }}{% endblock %}",
    "{% block x %}{% endblock %}{% block x %}{% endblock %}",
    "{% block x %}a{% endblock x %}",
    "{% set q = 1 %}{% block x %}{{ q }}{% endblock %}",
    "{% for i in l %}{% block x %}{{ i is defined }}{% endblock %}{% endfor %}",
    "{% for i in l %}{% block x scoped %}{{ i }}{% endblock %}{% endfor %}",
    "{% block a-b %}{% endblock %}",
    "{% include 'x' %}",
    "{% extends 'x' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% if false %}{% include 'x' %}{% endif %}ok",
    "{% include %}",
    "{% autoescape true %}{{ html }}{{ html|safe }}{{ html ~ ('<'|e) }}{{ ['<', '<'|e]|join('&') }}{% endautoescape %}{{ html }}",
    "{% autoescape false %}{{ html }}{% endautoescape %}",
    "{% autoescape true %}{% set x %}<b>{% endset %}{{ x }}{% macro m() %}<i>{{ html }}{% endmacro %}{{ m() }}{% endautoescape %}",
    "{% autoescape true %}{{ '<a>'|replace('a', '<') }}{{ {'a': '<'}|xmlattr }}{{ [1, '<'] }}{% endautoescape %}",
    "{% generation %}x{{ n }}{% endgeneration %}y",
    "{% generation %}{% set gg = 1 %}{{ gg }}{% endgeneration %}{{ gg is defined }}",
    "{% for i in l %}{% generation %}{{ i }}{{ loop.index }}{% endgeneration %}{% endfor %}",
    "{% generation %}",
    "a\n{% generation -%}\n  x\n{%- endgeneration %}\nb",
    # globals
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}",
    "{{ cycler() }}",
    "{% set j = joiner('|') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}",
    "{% set j = joiner() %}{{ j() }}{{ j() }}",
    "{{ raise_exception('boom') }}",
    "{{ raise_exception() }}",
    "{% if n > 3 %}{{ raise_exception('x' ~ n) }}{% endif %}",
    "{{ strftime_now('') }}",
    "{{ strftime_now('%Y')|length }}",
    "{{ strftime_now(5) }}",
    "{{ strftime_now('%d %b %Y')|length }}",
    "{{ strftime_now('x%%y') }}",
    "{{ range }}" if False else "{{ range is callable }}",
    "{% set range = 5 %}{{ range }}",
    "{{ dict is callable }}{{ namespace is defined }}{{ lipsum is defined }}{{ joiner is defined }}",
    # names and scopes
    "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}",
    "{% macro m() %}{% for i in l %}{{ i }}{{ q }}{% endfor %}{% endmacro %}{% set q = 7 %}{{ m() }}",
    "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% for i in l %}{% if loop.first %}{% set a = 1 %}{% else %}{% set a = 2 %}{% endif %}{{ a }}{% endfor %}",
    "{% set a %}{% set b = 1 %}{{ b }}{% endset %}{{ a }}{{ b is defined }}",
    "{{ not }}",
    "{{ is }}",
    "{{ in }}",
    "{{ if }}",
    "{{ and 1 }}",
    "{{ none }}{{ None }}{{ True }}{{ False }}{{ true }}",
    "{{ NONE is defined }}{{ TRUE is defined }}",
    "{{ _x is defined }}",
    "{{ x.__init__ }}",
    "{{ ().__class__.__bases__ }}",
    "{% set not = 1 %}",
    "{% set if = 1 %}{{ 1 }}",
    "{{ [1, [2, [3, [4]]]] }}",
    "{{ {'k': \"it's\", 'q': 'say \"hi\"', 'b': 'both\\'\"'} }}",
    "{{ ['\\n\\t\\\\', '\\x00\\x7f\\xa0\\xad', 'é你👍', '\\u200b\\ue000'] }}",
    "{{ [1.0, 1e20, 1e-7, 0.1, 100.0, 123456.789, 1e15, 1e16] }}",
    "{{ (missing, none, true) }}",
    "{{ [missing] }}",
    "{{ {'a': missing} }}",
    "{{ [range(2), d.keys()] }}",
    "{{ 1.0e0 }}{{ 5e-324 }}{{ 1.7976931348623157e308 }}",
    "{{ 3.0 }}{{ 3.10 }}{{ 1e22 }}{{ 1e21 }}{{ 123456789.123456789 }}",
    "{{ 9223372036854775807 }}{{ -9223372036854775807 - 1 }}",
]


def feature_templates():
    for block in (EXPRESSIONS, METHODS, FILTERS, TESTS):
        for line in block.strip().split("\n"):
            for expression in line.split("|||"):
                if expression.strip():
                    yield "{{ " + expression.strip() + " }}"
    yield from STATEMENTS
