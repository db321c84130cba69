// The program from outside: every command on the tiny golden checkpoints, what it prints, what it
// says when it is used wrongly, and a chat in a terminal of its own.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "support/cli.h"
#include "support/npy.h"
#include "support/terminal.h"

namespace orrery {
namespace {

using nlohmann::json;
using testing::expect_error;
using testing::expect_ok;
using testing::golden;
using testing::kFolder;
using testing::kModels;
using testing::kTiny;
using testing::lines_of;
using testing::Outcome;
using testing::read_file;
using testing::run_program;
using testing::TemporaryFolder;
using testing::Terminal;

TEST(Program, GreetsAndTellsItsVersion) {
  const Outcome overview = run_program(std::vector<std::string>{});
  expect_ok(overview);
  EXPECT_NE(overview.out.find("orrery run"), std::string::npos);
  EXPECT_EQ(overview.out.find('\x1b'), std::string::npos) << "colours without a terminal";
  const Outcome version = run_program({"--version"});
  expect_ok(version);
  EXPECT_TRUE(version.out.starts_with("orrery 0.")) << version.out;
}

TEST(Program, EveryCommandHasHelpWithExamples) {
  for (const char* verb :
       {"run", "generate", "logits", "tokenize", "template", "perplexity", "bench", "inspect"}) {
    const Outcome help = run_program({verb, "--help"});
    expect_ok(help);
    const std::size_t examples = help.out.find("\nExamples:\n");
    ASSERT_NE(examples, std::string::npos) << help.out;
    EXPECT_NE(help.out.find("\n  orrery ", examples), std::string::npos) << help.out;
  }
}

TEST(Program, WrongUseIsOneLineAndCode2) {
  expect_error(run_program({"levitate"}), 2, "--help");
  expect_error(run_program({"generate", kTiny}), 2, "generate --help");
  expect_error(run_program({"generate", kTiny, "--prompt", "a", "--tokens", "b"}), 2, "--help");
  expect_error(run_program({"generate", kTiny, "--prompt", "a", "--max-tokens", "many"}), 2,
               "--help");
  expect_error(run_program({"generate", kTiny, "--prompt", "a", "--kv", "f8"}), 2, "f8");
  expect_error(run_program({"bench", kTiny, "--planet", "Mars"}), 2, "--planet");
}

TEST(Program, SamplerRangesAreErrors) {
  expect_error(run_program({"generate", kTiny, "--prompt", "a", "--temperature", "-1"}), 1,
               "temperature");
  expect_error(run_program({"generate", kTiny, "--prompt", "a", "--top-p", "7"}), 1, "top");
}

TEST(Program, AReaderThatLeavesIsNoError) {
  const std::string command =
      std::string(ORRERY_PROGRAM) + " inspect --kernels 2>&1 >/dev/null | head -c 1; " +
      ORRERY_PROGRAM + " generate " + kTiny +
      " --prompt a --max-tokens 200 --ignore-eos 2>/dev/null | head -c 1 > /dev/null; "
      "exit ${PIPESTATUS[0]}";
  EXPECT_EQ(WEXITSTATUS(std::system(("bash -c '" + command + "'").c_str())), 0);
}

TEST(Program, AFullDiskIsAnError) {
  const Outcome outcome = run_program({{"inspect", kTiny}, "", {}, "/dev/full", 60});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(outcome.err.starts_with("orrery: error: ")) << outcome.err;
}

TEST(Program, ALoweredCeilingThatDoesNotExistIsAnError) {
  const Outcome outcome =
      run_program({{"generate", kTiny, "--prompt", "a"}, "", {"ORRERY_ISA=mmx"}, "", 60});
  expect_error(outcome, 1, "mmx");
}

TEST(ModelNames, AreFoundInTheCacheByTheirBeginning) {
  const TemporaryFolder cache;
  const auto models = cache.path() / "orrery/models";
  std::filesystem::create_directories(models);
  std::filesystem::create_symlink(kTiny, models / "Tiny-A.gguf");
  std::filesystem::create_symlink(kTiny, models / "Tiny-B.gguf");
  const auto inspect = [&](const std::string& name) {
    return run_program(
        {{"inspect", name, "--json"}, "", {"XDG_CACHE_HOME=" + cache.path().string()}, "", 60});
  };
  expect_ok(inspect("Tiny-A.gguf"));
  expect_ok(inspect("tiny-b"));
  expect_error(inspect("tiny"), 1, "Tiny-A.gguf, Tiny-B.gguf");
  expect_error(inspect("Tinny-A"), 1, "near names: Tiny-A.gguf");
  const Outcome without =
      run_program({{"run"}, "", {"XDG_CACHE_HOME=" + cache.path().string()}, "", 60});
  expect_error(without, 1, "./dev run");
}

TEST(ModelNames, ExploreWithoutOneSaysWhatToDoAndOffersTheDefault) {
  const TemporaryFolder cache;
  const auto models = cache.path() / "orrery/models";
  std::filesystem::create_directories(models);
  std::filesystem::create_symlink(kTiny, models / "Tiny-A.gguf");
  const auto explore = [&] {
    return run_program({{"explore"}, "", {"XDG_CACHE_HOME=" + cache.path().string()}, "", 60});
  };
  const Outcome without = explore();
  EXPECT_EQ(without.code, 1);
  for (const char* word : {"orrery explore MODEL", "orrery pull ORG/NAME", "demo-models demo-moe"})
    EXPECT_NE(without.out.find(word), std::string::npos) << word << " is not in\n" << without.out;
  for (const char* word : {"./dev run", "there are Tiny-A.gguf"})
    EXPECT_NE(without.err.find(word), std::string::npos) << word << " is not in\n" << without.err;
  // The default one is offered and opened; this one is no model, so that nothing listens for ever.
  std::ofstream(models / "SmolLM2-135M-Instruct.Q4_1.gguf") << "no model";
  const Outcome offered = explore();
  EXPECT_EQ(offered.code, 1);
  EXPECT_NE(offered.out.find("opens the default one, SmolLM2"), std::string::npos) << offered.out;
  EXPECT_TRUE(offered.err.starts_with("orrery: error: ")) << offered.err;
}

// ---- generate, logits
// ---------------------------------------------------------------------------------

json generate_json(const std::string& model, const std::vector<std::string>& more) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments = {"generate", model, "--tokens",
                                        folder.write("ids.json", golden()["greedy"]["ids"].dump()),
                                        "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = run_program(arguments);
  expect_ok(outcome);
  return json::parse(outcome.out);
}

TEST(Generate, ContinuesAsTheOracleDoes) {
  const json next = golden()["greedy"]["next"];
  const std::vector<std::string> flags = {"--greedy", "--exact", "--ignore-eos", "--max-tokens",
                                          std::to_string(next.size())};
  for (const std::string& model : {kTiny, kFolder}) {
    const json answer = generate_json(model, flags);
    EXPECT_EQ(answer["tokens"], next);
    EXPECT_EQ(answer["finish"], "length");
    EXPECT_EQ(answer["timings"]["prompt_tokens"], golden()["greedy"]["ids"].size());
    EXPECT_EQ(answer["timings"]["reply_tokens"], next.size());
    EXPECT_GT(answer["timings"]["prompt_tokens_per_second"], 0.0);
    EXPECT_FALSE(answer["sampler"].empty());
  }
}

TEST(Generate, ThreadsChunksAndKvFormatsAreTaken) {
  const auto tokens = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--greedy", "--ignore-eos", "-n", "16"});
    return generate_json(kTiny, more)["tokens"];
  };
  const json first = tokens({"-t", "1"});
  EXPECT_EQ(first.size(), 16u);
  EXPECT_EQ(tokens({"-t", "2", "--chunk", "1"}), first);
  EXPECT_EQ(tokens({"--chunk", "7"}), first);
  for (const char* kv : {"f32", "bf16", "q8", "q4"})
    EXPECT_EQ(tokens({"--kv", kv}).size(), 16u) << kv;
}

TEST(Generate, TheSameSeedGivesTheSameReply) {
  const std::vector<std::string> flags = {"--seed", "5", "--temperature", "1.5", "--ignore-eos",
                                          "-n",     "24"};
  const json first = generate_json(kTiny, flags), again = generate_json(kTiny, flags);
  EXPECT_EQ(first["tokens"], again["tokens"]);
  EXPECT_EQ(first["seed"], 5);
  EXPECT_NE(generate_json(kTiny, {"--seed", "6", "--temperature", "1.5", "--ignore-eos", "-n",
                                  "24"})["tokens"],
            first["tokens"]);
}

TEST(Generate, StopsBeforeAStopText) {
  const json whole = generate_json(kTiny, {"--greedy", "--ignore-eos", "-n", "20"});
  const std::string text = whole["text"];
  ASSERT_GT(text.size(), 8u);
  // Whole characters from the middle: a stop text is text, and the model of random weights babbles.
  const auto boundary = [&](std::size_t at) {
    while (at < text.size() && (u8(text[at]) & 0xc0) == 0x80) ++at;
    return at;
  };
  const std::size_t begin = boundary(text.size() / 2), end = boundary(begin + 3);
  const std::string stop = text.substr(begin, end - begin);
  const json cut = generate_json(
      kTiny, {"--greedy", "--ignore-eos", "-n", "20", "--stop", "never there", "--stop", stop});
  EXPECT_EQ(cut["finish"], "stop_text");
  EXPECT_EQ(cut["text"], text.substr(0, text.find(stop)));
}

TEST(Generate, StreamsThePlainTextAndTakesFilesAndStdin) {
  const TemporaryFolder folder;
  const std::vector<std::string> rest = {"--greedy", "--ignore-eos", "--max-tokens", "8"};
  const auto with = [&](std::vector<std::string> arguments, const std::string& in) {
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    const Outcome outcome = run_program(arguments, in);
    expect_ok(outcome);
    return outcome.out;
  };
  const std::string text = with({"generate", kTiny, "--prompt", "The moon"}, "");
  EXPECT_EQ(with({"generate", kTiny, "--prompt-file", folder.write("p.txt", "The moon")}, ""),
            text);
  EXPECT_EQ(with({"generate", kTiny, "--prompt-file", "-"}, "The moon"), text);
  EXPECT_NE(with({"generate", kTiny, "--chat", "--prompt", "The moon"}, ""), text);
  EXPECT_GT(text.size(), 1u);
}

f64 relative_error(const std::vector<f32>& ours, const std::vector<f32>& golden_values) {
  f64 difference = 0, norm = 0;
  for (std::size_t i = 0; i < golden_values.size(); ++i) {
    difference += std::pow(f64(ours[i]) - golden_values[i], 2);
    norm += std::pow(f64(golden_values[i]), 2);
  }
  return std::sqrt(difference / norm);
}

TEST(Logits, AreTheOracles) {
  const TemporaryFolder folder;
  const std::string out = folder.path() / "logits.npy";
  for (const auto& [exact, bound] : {std::pair{true, 1e-4}, std::pair{false, 2e-2}}) {
    std::vector<std::string> arguments = {
        "logits", kTiny, "--tokens", folder.write("ids.json", golden()["prompts"][1]["ids"].dump()),
        "--out",  out};
    if (exact) arguments.push_back("--exact");
    expect_ok(run_program(arguments));
    const auto ours = testing::read_npy<f32>(out);
    const auto expected = testing::read_npy<f32>(kModels + "llama_f32/logits_7.npy");
    ASSERT_EQ(ours.shape, expected.shape);
    EXPECT_LE(relative_error(ours.values, expected.values), bound);
  }
}

// ---- perplexity, bench, inspect
// ---------------------------------------------------------------------

// The definition, from logits that the program wrote: windows of 32 tokens, the second half scored.
f64 perplexity_by_hand(const TemporaryFolder& folder, const json& ids, u32 window) {
  f64 sum = 0;
  u32 count = 0;
  for (u32 start = 0; start + window <= ids.size(); start += window) {
    const json part(std::vector<json>(ids.begin() + start, ids.begin() + start + window));
    const std::string out = folder.path() / "window.npy";
    expect_ok(run_program(
        {"logits", kTiny, "--tokens", folder.write("w.json", part.dump()), "--out", out}));
    const auto logits = testing::read_npy<f32>(out);
    for (u32 i = window / 2; i + 1 < window; ++i, ++count) {
      const f32* row = logits.values.data() + u64(i) * logits.shape[1];
      f64 total = 0;
      for (u64 j = 0; j < logits.shape[1]; ++j) total += std::exp(f64(row[j]));
      sum += std::log(total) - row[part[i + 1].get<u32>()];
    }
  }
  return std::exp(sum / count);
}

TEST(Perplexity, IsTheDefinition) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 12; ++i) text += "The moon goes round the earth; " + std::to_string(i) + ". ";
  const Outcome tokens =
      run_program({"tokenize", kTiny, "--jsonl", "-"}, json{{"text", text}}.dump() + "\n");
  const json ids = json::parse(tokens.out)["ids"];
  ASSERT_GE(ids.size(), 64u);
  const Outcome outcome = run_program(
      {"perplexity", kTiny, "--file", folder.write("t.txt", text + "\n"), "--ctx", "32", "--json"});
  expect_ok(outcome);
  const json answer = json::parse(outcome.out);
  const f64 expected = perplexity_by_hand(folder, ids, 32);
  EXPECT_NEAR(answer["perplexity"], expected, 1e-4 * expected);
  EXPECT_EQ(answer["windows"], ids.size() / 32);
  EXPECT_EQ(answer["tokens_scored"], 15 * (ids.size() / 32));
}

TEST(Bench, PrintsEveryRow) {
  const Outcome outcome = run_program(
      {"bench", kTiny, "-p", "16,32", "-n", "8", "-d", "0,64", "-r", "3", "--json", "--no-probe"});
  expect_ok(outcome);
  const json answer = json::parse(outcome.out);
  std::vector<std::string> tests;
  for (const json& row : answer["results"]) {
    tests.push_back(row["test"]);
    const json& rate = row["tokens_per_second"];
    EXPECT_GT(rate["min"], 0.0);
    EXPECT_LE(rate["min"], rate["median"]);
    EXPECT_LE(rate["median"], rate["max"]);
    EXPECT_GT(row["bytes_per_token"], 0.0);
    EXPECT_GT(row["gops"], 0.0);
  }
  EXPECT_EQ(tests,
            (std::vector<std::string>{"pp16", "pp32", "tg8", "pp16@d64", "pp32@d64", "tg8@d64"}));
  EXPECT_FALSE(answer["cpu"].get<std::string>().empty());
  // 2 layers of (2 x 64 x 64 + 2 x 32 x 64 + 3 x 96 x 64) weights and an output of 321 x 64, twice
  // each.
  const json& decode = answer["results"][2];
  const f64 operations = f64(decode["gops"]) * 1e9 / f64(decode["tokens_per_second"]["median"]);
  EXPECT_NEAR(operations, 2.0 * (2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 96 * 64) + 321 * 64), 1.0);
}

TEST(Bench, ComparesWithTheMachine) {
  const Outcome outcome = run_program({"bench", kTiny, "-p", "8", "-n", "0", "-r", "2", "--json"});
  expect_ok(outcome);
  const json answer = json::parse(outcome.out), row = answer["results"][0];
  EXPECT_GT(row["read_probe_gb_per_s"]["min"], 0.1);
  EXPECT_GT(row["read_fraction"]["median"], 0.0);
  EXPECT_EQ(row["rates"].size(), 2u);
  EXPECT_GT(answer["start"]["first_token_seconds"], answer["start"]["open_seconds"]);
  EXPECT_GT(answer["start"]["memory_peak_bytes"], answer["start"]["memory_expected_bytes"]);
}

TEST(Bench, RepliesTogetherReadTheWeightsOnce) {
  const Outcome outcome = run_program(
      {"bench", kTiny, "-p", "0", "-n", "1", "-c", "1,4", "-r", "2", "--json", "--no-probe"});
  expect_ok(outcome);
  const json rows = json::parse(outcome.out)["results"];
  EXPECT_EQ(rows[1]["test"], "tg1x4");
  EXPECT_NEAR(f64(rows[1]["bytes_per_token"]) * 4, rows[0]["bytes_per_token"], 1.0);
}

TEST(Bench, DrawsAPicture) {
  const TemporaryFolder folder;
  const std::string svg = folder.path() / "a.svg";
  expect_ok(run_program(
      {"bench", kTiny, "-p", "0", "-n", "2", "-d", "0,8", "-r", "1", "--no-probe", "--svg", svg}));
  const std::string text = read_file(svg);
  EXPECT_TRUE(text.starts_with("<svg")) << text.substr(0, 80);
  for (const char* part : {"tg2@d8", "class='ours'", "<title", "<desc", "</svg>"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
  expect_error(
      run_program({"bench", kTiny, "-p", "0", "-n", "1", "-r", "1", "--svg", "/nowhere/a.svg"}), 1,
      "/nowhere/a.svg");
}

// What `--against` runs is a program that we did not write.
TEST(Bench, ARivalIsTakenInTurnsAndNotTrusted) {
  const TemporaryFolder folder;
  const auto against = [&](std::string_view script) {
    const std::string path = folder.write("llama-bench", "#!/bin/sh\n" + std::string(script));
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return run_program({"bench", kTiny, "-p", "8", "-n", "0", "-r", "3", "--json", "--no-probe",
                        "--against", "llama-bench=" + path});
  };
  const Outcome good = against("echo '[{\"avg_ts\": 0.5}]'");
  expect_ok(good);
  const json row = json::parse(good.out)["results"][0];
  EXPECT_NEAR(row["against"]["ratio"]["median"], f64(row["tokens_per_second"]["median"]) / 0.5,
              1e-6 * f64(row["tokens_per_second"]["median"]));
  expect_error(against("echo no model >&2; exit 3"), 1, "no model");
  expect_error(against("echo nonsense"), 1, "no results");
  expect_error(against("echo '[{\"avg_ts\": null}]'"), 1, "avg_ts");
  expect_error(against("echo '[{\"avg_ts\": 0}]'"), 1, "avg_ts");
  expect_error(against("kill -9 $$"), 1, "ended badly");
  expect_error(run_program({"bench", kTiny, "--against", "ollama=/bin/true"}), 1,
               "llama-bench=PATH");
  expect_error(run_program({"bench", kTiny, "--against", "llama-bench=/nowhere"}), 1, "/nowhere");
}

TEST(Inspect, TellsWhatIsInAModel) {
  const Outcome outcome = run_program({"inspect", kTiny, "--json", "--tensors"});
  expect_ok(outcome);
  const json facts = json::parse(outcome.out);
  EXPECT_EQ(facts["parameters"],
            2 * 321 * 64 + 64 + 2 * (2 * 64 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 96 * 64));
  EXPECT_EQ(facts["layers"].size(), 1u);
  EXPECT_TRUE(facts["layers"][0].get<std::string>().starts_with("2 x ")) << facts["layers"];
  EXPECT_EQ(facts["kv_bytes_per_token"], 2 * 2 * 2 * 16 * 2);
  EXPECT_EQ(facts["tensors"].size(), 21u);
  EXPECT_TRUE(facts["unread_settings"].empty()) << facts["unread_settings"];
  EXPECT_GE(facts["host"]["cores"], 1);
  for (const std::string flag : {"--tensors", "--kernels"}) {
    const Outcome people = run_program({"inspect", kTiny, flag});
    expect_ok(people);
    EXPECT_GT(std::count(people.out.begin(), people.out.end(), '\n'), 20) << people.out;
  }
}

// ---- run
// ----------------------------------------------------------------------------------------------

TEST(RunWithoutTerminal, AnswersOneQuestion) {
  const Outcome outcome = run_program({"run", kTiny});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with("What is gravity?")) << outcome.out;
  EXPECT_NE(outcome.err.find("tok/s"), std::string::npos) << outcome.err;
  const Outcome other = run_program({"run", kTiny, "--prompt", "Hi", "--greedy", "-n", "4"});
  EXPECT_EQ(other.code, 0) << other.err;
}

TEST(RunInATerminal, TalksAndObeys) {
  const TemporaryFolder home;
  Terminal terminal({"run", kTiny, "-n", "8", "--greedy", "--ignore-eos"}, home.path());
  ASSERT_TRUE(terminal.wait_for("Ctrl-D ends."));
  ASSERT_TRUE(terminal.wait_for("❯"));
  terminal.type("Hello\n");
  ASSERT_TRUE(terminal.wait_for("8 tokens"));
  ASSERT_TRUE(terminal.wait_for("❯"));
  terminal.type("And again\n");
  ASSERT_TRUE(terminal.wait_for("from the cache"));
  terminal.type("/nonsense\n");
  ASSERT_TRUE(terminal.wait_for("no command /nonsense"));
  terminal.type("/system Be brief.\n");
  ASSERT_TRUE(terminal.wait_for("counts from now on"));
  const std::string saved = home.path() / "chat.json";
  terminal.type("/save " + saved + "\n");
  ASSERT_TRUE(terminal.wait_for("Written to"));
  terminal.type("\x04");  // perhaps before the prompt
  EXPECT_EQ(terminal.wait_for_end(), 0);
  const json chat = json::parse(read_file(saved));
  ASSERT_EQ(chat.size(), 5u);
  EXPECT_EQ(chat[0], (json{{"role", "system"}, {"content", "Be brief."}}));
  EXPECT_EQ(chat[3]["content"], "And again");
  EXPECT_NE(read_file(home.path() / "orrery/history").find("again"), std::string::npos);
  EXPECT_NE(terminal.screen().find("\x1b[2m"), std::string::npos) << "no colours on a terminal";
}

TEST(RunInATerminal, CtrlCStopsTheReplyAndNotTheProgram) {
  const TemporaryFolder home;
  Terminal terminal({"run", kTiny, "--ctx", "200000", "--greedy", "--ignore-eos"}, home.path());
  ASSERT_TRUE(terminal.wait_for("❯"));
  terminal.type("A line that is not wanted\x03");
  terminal.type("Hello\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  terminal.type("\x03");
  ASSERT_TRUE(terminal.wait_for("stopped"));
  ASSERT_TRUE(terminal.wait_for("❯"));
  terminal.type("/quit\n");
  EXPECT_EQ(terminal.wait_for_end(), 0);
}

}  // namespace
}  // namespace orrery
