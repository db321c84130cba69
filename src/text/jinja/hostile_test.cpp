// Hostile templates: whatever a model file's template does, rendering ends soon, in little memory,
// with a text or one error line.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "text/chat_template.h"

namespace orrery::text {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;  // keeps freed memory and shadows; its peak says nothing
#else
constexpr bool kSanitized = false;
#endif

std::string repeated(std::string_view text, u64 count) {
  std::string out;
  for (u64 i = 0; i < count; ++i) out += text;
  return out;
}

// The peak of this process's resident memory, in MiB, since reset_peak().
u64 peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "VmHWM:") continue;
    u64 kib = 0;
    status >> kib;
    return kib / 1024;
  }
  return 0;
}
void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

struct Hostile {
  std::string name, source;
};

std::vector<Hostile> loops_and_recursion() {
  const std::string big = "range(100000)";
  return {
      {"macro calls itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"},
      {"two macros call each other",
       "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}"},
      {"macro branches", "{% macro m(n) %}{{ m(n+1) }}{{ m(n+1) }}{% endmacro %}{{ m(0) }}"},
      {"macro in its own default", "{% macro m(x=m()) %}{{ x }}{% endmacro %}{{ m() }}"},
      {"caller calls caller",
       "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}"},
      {"loop calls itself", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"},
      {"loop branches", "{% for x in [1,2] recursive %}{{ loop([1,2]) }}{% endfor %}"},
      {"10^10 iterations",
       "{% for a in " + big + " %}{% for b in " + big + " %}{% endfor %}{% endfor %}"},
      {"10^9 sums",
       "{% for a in " + big +
           " %}{% for b in range(10000) %}{% set c = a + b %}{% endfor %}{% endfor %}"},
      {"giant range", "{% for a in range(1000000000000) %}{% endfor %}"},
      {"range of extremes", "{{ range(-9223372036854775807, 9223372036854775807)|length }}"},
      {"loop over a loop",
       "{% for a in " + big + " %}{% for b in loop %}{{ b }}{% endfor %}{% endfor %}"},
      {"recursion through namespace",
       "{% set ns = namespace() %}{% macro m() %}{{ ns.f() }}{% endmacro %}"
       "{% set ns.f = m %}{{ m() }}"},
      {"nested generation macros",
       "{% macro m() %}{% generation %}{{ m() }}{% endgeneration %}{% endmacro %}{{ m() }}"},
      {"filter inside map inside map", "{% set ns = namespace(g=[1]) %}{% for i in " + big +
                                           " %}{% set ns.g = ns.g|map('string') %}{% endfor %}"
                                           "{{ ns.g|list }}"},
      {"select upon select", "{% set ns = namespace(g=[1]) %}{% for i in " + big +
                                 " %}{% set ns.g = ns.g|select %}{% endfor %}{{ ns.g|first }}"},
      {"endless cycler", "{% set c = cycler(1) %}{% for i in " + big + " %}{% for j in " + big +
                             " %}{{ c.next() }}{% endfor %}{% endfor %}"},
  };
}

std::vector<Hostile> growth() {
  return {
      {"doubling",
       "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% "
       "endfor %}"},
      {"doubling lists",
       "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% "
       "endfor %}"},
      {"multiplied string", "{{ 'x' * 1000000000000 }}"},
      {"multiplied string at the limit", "{{ 'x' * 100000000 }}"},
      {"multiplied empty string", "{{ '' * 9223372036854775807 }}"},
      {"multiplied list", "{{ [1] * 1000000000 }}"},
      {"multiplied empty list", "{{ [] * 9223372036854775807 }}"},
      {"padded by format", "{{ '%999999999d' % 1 }}"},
      {"padded by star", "{{ '%*d' % (999999999999, 1) }}"},
      {"padded by braces", "{{ '{:999999999}'.format(1) }}"},
      {"precision", "{{ '%.999999999f' % 1.5 }}"},
      {"center", "{{ 'x'.center(99999999999) }}"},
      {"center filter", "{{ 'x'|center(100000000) }}"},
      {"zfill", "{{ '1'.zfill(99999999999) }}"},
      {"ljust", "{{ 'x'.ljust(9223372036854775807) }}"},
      {"expandtabs", "{{ ('\t' * 100000).expandtabs(1000000000) }}"},
      {"indent", "{{ ('a\n' * 100000)|indent(1000000) }}"},
      {"json indent", "{{ [[[[[1]]]]]|tojson(indent=1000000000) }}"},
      {"json indent string", "{{ (([1],) * 100000)|tojson(indent='x' * 100000) }}"},
      {"replace blows up", "{{ ('a' * 100000).replace('a', 'b' * 100000) }}"},
      {"replace nothing", "{{ ('a' * 100000).replace('', 'b' * 100000) }}"},
      {"join blows up", "{{ ('x' * 100000)|join('y' * 100000) }}"},
      {"batch fills", "{{ [1]|batch(1000000000000, 'x')|list }}"},
      {"slice fills", "{{ [1]|slice(1000000000000, 'x')|list }}"},
      {"list of a long string", "{{ ('x' * 10000000)|list|length }}"},
      {"wrap", "{{ ('ab ' * 1000000)|wordwrap(1)|length }}"},
      {"escape", "{{ ('<' * 50000000)|e|e|length }}"},
      {"urlencode", "{{ ('é' * 30000000)|urlencode|length }}"},
      {"repr of repr",
       "{% set ns = namespace(s='\\\\') %}{% for i in range(64) %}{% set ns.s = [ns.s]|string %}{% "
       "endfor %}"},
      {"output", "{% for i in range(100000) %}{{ 'x' * 10000 }}{% endfor %}"},
      {"nested captures",
       "{% macro m(n) %}{{ 'x' * 1000000 }}{{ m(n + 1) if n < 190 }}{% endmacro %}{{ m(0)|length "
       "}}"},
      {"strftime", "{{ strftime_now('%c' * 100000) }}"},
      {"many namespaces",
       "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}"
       "{% set ns.l = ns.l + [namespace(a=ns.l)] %}{% endfor %}"},
      {"sum of lists", "{{ ([[1] * 1000] * 10000)|sum(start=[])|length }}"},
      {"large dict",
       "{% set ns = namespace(d={}) %}{% for i in range(100000) %}"
       "{% set ns.d = dict(ns.d, **{i|string: i}) %}{% endfor %}"},
  };
}

std::vector<Hostile> depth() {
  return {
      {"parentheses", "{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}"},
      {"lists", "{{ " + repeated("[", 100000) + repeated("]", 100000) + " }}"},
      {"dicts", "{{ " + repeated("{1:", 100000) + "1" + repeated("}", 100000) + " }}"},
      {"nots", "{{ " + repeated("not ", 100000) + "1 }}"},
      {"minuses", "{{ " + repeated("-", 100000) + "1 }}"},
      {"sums", "{{ 1" + repeated(" + 1", 100000) + " }}"},
      {"ands", "{{ 1" + repeated(" and 1", 100000) + " }}"},
      {"attributes", "{{ x" + repeated(".x", 100000) + " }}"},
      {"calls", "{{ x" + repeated("()", 100000) + " }}"},
      {"filters", "{{ 'x'" + repeated("|upper", 100000) + " }}"},
      {"concatenations", "{{ 1" + repeated("~1", 100000) + " }}"},
      {"comparisons", "{{ 1" + repeated(" < 2", 100000) + " }}"},
      {"conditionals", "{{ 1" + repeated(" if 1 else 1", 100000) + " }}"},
      {"nested ifs", repeated("{% if 1 %}", 100000) + repeated("{% endif %}", 100000)},
      {"nested loops", repeated("{% for x in [1] %}", 10000) + repeated("{% endfor %}", 10000)},
      {"nested targets",
       "{% set " + repeated("(", 100000) + "a" + repeated(")", 100000) + " = 1 %}"},
      {"many elifs", "{% if 0 %}" + repeated("{% elif 0 %}", 100000) + "{% endif %}"},
      {"open tags", repeated("{% raw %}{{", 100000)},
      {"comments that never end", repeated("{#", 200000)},
      {"raw that never ends", "{% raw %}" + repeated("{%  ", 200000)},
      {"too long a source", repeated("x", 5'000'000)},
      {"nested value",
       "{% set ns = namespace(v=1) %}{% for i in range(100000) %}{% set ns.v = [ns.v] %}{% endfor "
       "%}{{ ns.v }}"},
      {"nested value as JSON",
       "{% set ns = namespace(v=1) %}{% for i in range(100000) %}{% set ns.v = {'a': ns.v} %}{% "
       "endfor %}{{ ns.v|tojson }}"},
      {"nested values compared",
       "{% set a = namespace(v=1) %}{% set b = namespace(v=1) %}{% for i in range(100000) %}{% set "
       "a.v = [a.v] %}"
       "{% set b.v = [b.v] %}{% endfor %}{{ a.v == b.v }}{{ a.v < b.v }}"},
      {"nested tuple hashed",
       "{% set ns = namespace(v=1) %}{% for i in range(100000) %}{% set ns.v = (ns.v,) %}{% endfor "
       "%}{{ {ns.v: 1} }}"},
      {"chain of namespaces",
       "{% set t = namespace(l=none) %}{% for i in range(100000) %}"
       "{% set t.l = namespace(l=t.l) %}{% endfor %}ok"},
      {"namespace holds itself", "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}"},
      {"namespace in its list",
       "{% set ns = namespace() %}{% set ns.me = [ns] %}{{ ns.me == [ns] }}{{ ns.me|tojson }}"},
      {"shared list doubles when printed",
       "{% set ns = namespace(v=[1]) %}{% for i in range(64) %}{% set ns.v = [ns.v, ns.v] %}{% "
       "endfor %}{{ ns.v }}"},
      {"shared list doubles when compared",
       "{% set a = namespace(v=[1]) %}{% set b = namespace(v=[1]) %}{% for i in range(64) %}{% set "
       "a.v = [a.v, a.v] %}"
       "{% set b.v = [b.v, b.v] %}{% endfor %}{{ a.v == b.v }}"},
      {"shared tuple doubles when hashed",
       "{% set ns = namespace(v=1) %}{% for i in range(64) %}{% set ns.v = (ns.v, ns.v) %}{% "
       "endfor %}{{ {ns.v: 1} }}"},
  };
}

std::vector<Hostile> time_and_extremes() {
  return {
      {"search by the product",
       "{% set a = 'a' * 5000000 %}{{ (a ~ 'b') in (a ~ a) }}{{ (a ~ a).count(a ~ 'b') }}"},
      {"search from behind by the product",
       "{% set a = 'a' * 3000000 %}{{ (a ~ a).rfind('b' ~ a) }}"},
      {"split from behind", "{{ ('ab' * 5000000).rsplit('aab')|length }}"},
      {"strip many characters", "{{ ('ab' * 1000000).strip('xyz' * 100000)|length }}"},
      {"sort much", "{% for i in range(1000) %}{{ range(100000)|sort|first }}{% endfor %}"},
      {"unique lists",
       "{% for i in range(1000) %}{{ range(100000)|unique|list|length }}{% endfor %}"},
      {"index of a long string",
       "{% set s = 'é' * 1000000 %}{% for i in range(100000) %}{{ s[i] }}{% endfor %}"},
      {"colliding keys",
       "{% set ns = namespace(d={}) %}{% for i in range(100000) %}{{ {i: 1, i * 1.0: 2, true: 3} "
       "}}{% endfor %}"},
      {"comparison of equal giants",
       "{% set a = 'x' * 10000000 %}{% set b = 'x' * 10000000 %}{% for i in range(100000) %}{{ a "
       "== b }}{% endfor %}"},
      {"power", "{{ 2 ** 9223372036854775807 }}"},
      {"powers of one", "{{ 1 ** 9223372036854775807 }}{{ (-1) ** 9223372036854775807 }}"},
      {"minimum by minus one", "{{ (-9223372036854775807 - 1) // -1 }}"},
      {"remainder by minus one", "{{ (-9223372036854775807 - 1) % -1 }}"},
      {"slices of extremes",
       "{{ 'abc'[-9223372036854775807:9223372036854775807:-9223372036854775807] }}"},
      {"digits", "{{ " + repeated("9", 100000) + " }}"},
      {"string of digits", "{{ ('9' * 1000000)|int }}{{ ('9' * 1000000)|float }}"},
      {"broken bytes", "\xff\xfe{{ '\x80\xc3' ~ '\xed\xa0\x80' }}{{ '\xf8'|upper|list }}"},
      {"zero bytes", std::string("a\0b{{ 'c\0d' }}", 14)},
  };
}

std::vector<Hostile> all() {
  std::vector<Hostile> result = loops_and_recursion();
  for (auto& more : {growth(), depth(), time_and_extremes()})
    result.insert(result.end(), more.begin(), more.end());
  return result;
}

TEST(JinjaHostile, EveryTemplateEndsSoonAndInLittleMemory) {
  const auto cases = all();
  ASSERT_GE(cases.size(), 80U);
  for (const Hostile& hostile : cases) {
    reset_peak();
    const u64 before = peak_mib();
    const std::clock_t start = std::clock();  // of this process: other work may run beside it
    const auto parsed = ChatTemplate::parse(hostile.source);
    const auto text = parsed ? parsed->render(Json::object()) : fail("{}", parsed.error().message);
    const f64 seconds = f64(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_LT(seconds, 10) << hostile.name;
    EXPECT_TRUE(kSanitized || peak_mib() - before < 512) << hostile.name << ": " << peak_mib();
    const std::string message = text ? "" : text.error().message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << hostile.name;
    if (std::getenv("ORRERY_VERBOSE")) {
      std::printf("%-40s %5.2f s %4zu MiB  %s\n", hostile.name.c_str(), seconds,
                  size_t(peak_mib() - before), message.substr(0, 120).c_str());
    }
  }
}

TEST(JinjaHostile, LimitsAreErrorsThatSayWhy) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "maximum recursion depth exceeded"},
      {"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
       "too many steps"},
      {"{{ range(100001) }}", "Range too big"},
      {"{% set ns = namespace(s=['x']) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% "
       "endfor %}",
       "too much memory"},
      {"{% for i in range(100) %}{{ 'x' * 1000000 }}{% endfor %}", "the rendered text is too long"},
      {"{{ ((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))) }}", ""},
  };
  for (const auto& [source, reason] : kCases) {
    const auto parsed = ChatTemplate::parse(source);
    const auto text = parsed ? parsed->render(Json::object()) : fail("{}", parsed.error().message);
    EXPECT_EQ(text.has_value(), reason.empty()) << source;
    const std::string message = text ? "" : text.error().message;
    EXPECT_NE(message.find(reason), std::string::npos) << message;
  }
}

TEST(JinjaHostile, DeepVariablesAreAnError) {
  const auto parsed = ChatTemplate::parse("{{ messages|tojson }}");
  ASSERT_TRUE(parsed);
  Json deep = 1;
  for (u32 i = 0; i < 10000; ++i) deep = Json::array({std::move(deep)});
  const auto text = parsed->render({{"messages", std::move(deep)}});
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message.find("too deep"), std::string::npos);
}

}  // namespace
}  // namespace orrery::text
