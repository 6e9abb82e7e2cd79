//! The command line. Parsing does nothing but parse; each subcommand's file builds its run.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::outcome::Outcome;
use crate::{
    case_command, catalog, complete, config_command, cut, diff, events_list, examples, explain, export,
    extract, fleet_command, help, import, info, man, merge, recover, redact, replay, report, rules_command,
    scan, settings, state, story, top, tree, ui, uses, verify,
};
#[cfg(feature = "record")]
use crate::{doctor, record, watch};

/// Record kernel events once, ask any scope later.
#[derive(Parser, Debug)]
#[command(name = "tracer", version, propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Write what the kernel does into a capture file (needs root)
    #[cfg(feature = "record")]
    Record(record::Options),
    /// Show what happens on this host, as it happens (needs root)
    #[cfg(feature = "record")]
    Watch(watch::Options),
    /// Ask a capture which of its events match scopes
    Replay(replay::Options),
    /// Look at captures on the screen: filter as you type, scroll through millions, ask of each where it came from
    Ui(Box<ui::Options>),
    /// Say which commands, files, peers and others have the most events
    Top(top::Options),
    /// Show the processes of a capture: who started whom, how each ended, and what it did
    Tree(tree::Options),
    /// Show the processes that a host had at a moment
    Ps(state::Options),
    /// Show what processes had open at a moment
    Lsof(state::Options),
    /// Show the sockets of a host at a moment: both ends, state, and whose they are
    Ss(state::Options),
    /// Show mounts that were made and were there at a moment
    Mounts(state::Options),
    /// Show the containers of a host at a moment
    Containers(state::Options),
    /// Show what came and what went between two moments
    DiffState(state::DiffOptions),
    /// Show what led to an event, a file, a process or a connection, and what came of it
    Story(story::Options),
    /// Show who did what with a file: opened, read, wrote, renamed, executed, and how many bytes
    File(uses::FileOptions),
    /// Show what a user did: with which files, connections and processes
    User(uses::UserOptions),
    /// Show connections: whose, to whom by what name, bytes each way, and how they ended
    Conn(uses::ConnOptions),
    /// Write captures as one page: findings, time, processes, files, network, stories and events
    Report(report::Options),
    /// Say what a capture holds
    Info(info::Options),
    /// Write down what each capture of a folder holds, so that questions to the folder open only those that can match
    Catalog(catalog::Options),
    /// Write what matches in the format of another program
    Export(export::Options),
    /// Write the bytes of artifacts into a folder: what was executed, loaded, written
    Extract(extract::Options),
    /// Turn a log of JSON lines into a capture
    Import(import::Options),
    /// Say whether captures are what was written, and name the first bad block
    Verify(verify::Options),
    /// Say what a case holds, sign it, and say whether it is what was signed
    Case(case_command::Options),
    /// Make a key that signs captures and cases
    Keygen(verify::KeyOptions),
    /// Make a clean capture of what is left of a damaged one
    Recover(recover::Options),
    /// Take part of a capture: a stretch of time, what matches, some arguments
    Cut(cut::Options),
    /// Make captures of several hosts one, by wall clock
    Merge(merge::Options),
    /// Hash or leave out what must not be given away
    Redact(redact::Options),
    /// Say why scopes match or do not: filter by filter for one event, or in numbers for a whole capture
    Explain(explain::Options),
    /// Show what two sets of scopes see differently; exit code 1 when they do
    Diff(diff::Options),
    /// Ask captures rules: those of the program, Sigma's, Falco's, Elastic's, your own; exit code 1 with --fail-on
    Scan(scan::Options),
    /// Say what is in files of rules
    Rules(rules_command::Options),
    /// Ask captures in SQL (by tracer-fleet, a program of its own)
    #[command(disable_help_flag = true)]
    Sql(fleet_command::SqlOptions),
    /// Run a part of a cluster that answers SQL (by tracer-fleet)
    #[command(disable_help_flag = true)]
    Fleet(fleet_command::FleetOptions),
    /// List the events there are
    Events(events_list::Options),
    /// Say whether this host can record, and what to do where it cannot; exit code 1 when it cannot
    #[cfg(feature = "record")]
    Doctor(doctor::Options),
    /// Say where options are set beside the command line, and to what
    Config(config_command::Options),
    /// Print what makes a shell complete command lines of tracer
    Completions(complete::Options),
    /// Help on a subcommand, an event, the columns of tables, or filters
    Help(help::Options),
    /// What the functions of shells ask
    #[command(name = "__complete", hide = true)]
    Complete(complete::Question),
    /// Write the manual pages
    #[command(name = "__man", hide = true)]
    Man(man::Options),
}

impl Cli {
    /// The command line as users meet it: with examples.
    pub fn command() -> clap::Command {
        let command = examples::add(<Cli as clap::CommandFactory>::command());
        #[cfg(feature = "record")]
        let command =
            command.mut_subcommand("top", top::without_files).mut_subcommand("ui", ui::without_files);
        command
    }

    /// Reads the process's own, and what is set elsewhere; what is wrong with it ends the program here.
    pub fn read() -> Result<Cli> {
        let words: Vec<_> = std::env::args_os().collect();
        let mut command = Cli::command();
        let mut matches = command.clone().try_get_matches_from(&words).unwrap_or_else(|error| error.exit());
        // These answer whatever is set, and say what is wrong with it.
        let is_settled = matches!(
            matches.subcommand_name(),
            Some("help" | "config" | "completions" | "__complete" | "__man")
        );
        if !is_settled {
            let set = settings::Settings::read(&command)?;
            command.build();
            let (line, from) = settings::complete_line(&command, &set, words, &matches)?;
            if !from.is_empty() {
                matches = Cli::command().try_get_matches_from(&line).map_err(|error| {
                    let set: Vec<_> =
                        from.iter().map(|(option, from)| format!("{option} by {from}")).collect();
                    let said = error.to_string();
                    let said =
                        said.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    anyhow::anyhow!("{said}; set outside of the command line: {}", set.join(", "))
                })?;
            }
        }
        Ok(<Cli as clap::FromArgMatches>::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
    }

    pub fn run(self) -> Result<Outcome> {
        match self.command {
            #[cfg(feature = "record")]
            Command::Record(options) => record::run(options),
            #[cfg(feature = "record")]
            Command::Watch(options) => watch::run(options),
            Command::Replay(options) => replay::run(options),
            Command::Top(options) => top::run(options),
            Command::Tree(options) => tree::run(options),
            Command::Ps(options) => state::run(&options, state::Kind::Ps),
            Command::Lsof(options) => state::run(&options, state::Kind::Lsof),
            Command::Ss(options) => state::run(&options, state::Kind::Ss),
            Command::Mounts(options) => state::run(&options, state::Kind::Mounts),
            Command::Containers(options) => state::run(&options, state::Kind::Containers),
            Command::DiffState(options) => state::diff(&options),
            Command::Ui(options) => ui::run(*options),
            Command::Story(options) => story::run(&options),
            Command::File(options) => uses::file(&options),
            Command::User(options) => uses::user(&options),
            Command::Conn(options) => uses::conn(options),
            Command::Report(options) => report::run(options),
            Command::Info(options) => info::run(options),
            Command::Catalog(options) => catalog::run(options),
            Command::Export(options) => export::run(options),
            Command::Extract(options) => extract::run(options),
            Command::Import(options) => import::run(options),
            Command::Verify(options) => verify::run(&options),
            Command::Case(options) => case_command::run(&options),
            Command::Keygen(options) => verify::generate(&options),
            Command::Recover(options) => recover::run(&options),
            Command::Cut(options) => cut::run(&options),
            Command::Merge(options) => merge::run(&options),
            Command::Redact(options) => redact::run(&options),
            Command::Explain(options) => explain::run(options),
            Command::Diff(options) => diff::run(options),
            Command::Scan(options) => scan::run(options),
            Command::Rules(options) => rules_command::run(options),
            Command::Sql(options) => fleet_command::sql(options),
            Command::Fleet(options) => fleet_command::fleet(options),
            Command::Events(options) => events_list::run(&options),
            #[cfg(feature = "record")]
            Command::Doctor(options) => doctor::run(&options),
            Command::Config(options) => config_command::run(&options),
            Command::Completions(options) => complete::completions(&options),
            Command::Help(options) => help::run(&options),
            Command::Complete(question) => complete::answer(&question),
            Command::Man(options) => man::run(&options),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    /// The options of one group, as every subcommand that has the group must have them.
    const IDENTITY: &[&str] = &["identity"];
    const READING: &[&str] = &["identity", "verify"];
    const FILTERS: &[&str] = &["filter", "policy"];
    const THREADS: &[&str] = &["threads"];
    const RANGE: &[&str] = &["from", "to"];
    const SEALING: &[&str] = &["sign-key", "encrypt-to", "compression"];
    const RULES: &[&str] = &["rules", "no-builtin", "only"];
    const TARGET: &[&str] = &["output", "force", "sign-key", "encrypt-to", "compression"];

    /// Which groups each subcommand has. One that is not here fails the test: a new one says what it reads and writes.
    const GROUPS: &[(&str, &[&[&str]])] = &[
        #[cfg(feature = "record")]
        ("record", &[FILTERS, SEALING, RULES]),
        #[cfg(feature = "record")]
        ("watch", &[FILTERS, THREADS, SEALING, RULES]),
        ("replay", &[READING, FILTERS, THREADS]),
        ("ui", &[READING, FILTERS, RANGE, THREADS, RULES]),
        ("top", &[READING, FILTERS, RANGE, THREADS]),
        ("tree", &[READING, FILTERS, RANGE, THREADS, RULES]),
        ("ps", &[READING, FILTERS, THREADS]),
        ("lsof", &[READING, FILTERS, THREADS]),
        ("ss", &[READING, FILTERS, THREADS]),
        ("mounts", &[READING, FILTERS, THREADS]),
        ("containers", &[READING, FILTERS, THREADS]),
        ("diff-state", &[READING, FILTERS, RANGE, THREADS]),
        ("story", &[READING, THREADS]),
        ("file", &[READING, RANGE, THREADS]),
        ("user", &[READING, RANGE, THREADS]),
        ("conn", &[READING, RANGE, THREADS]),
        ("report", &[READING, FILTERS, RANGE, THREADS, RULES]),
        ("info", &[READING]),
        ("catalog", &[THREADS]),
        // Its --to is a format as well as a time.
        ("export", &[READING, FILTERS, THREADS]),
        ("extract", &[READING, FILTERS, THREADS]),
        ("import", &[TARGET]),
        ("verify", &[IDENTITY]),
        ("case", &[]),
        ("keygen", &[]),
        ("recover", &[READING, TARGET]),
        ("cut", &[READING, FILTERS, RANGE, TARGET]),
        ("merge", &[READING, TARGET]),
        ("redact", &[READING, TARGET]),
        ("explain", &[READING, FILTERS, THREADS]),
        // Its filters and policies are two sets, each read by the same group.
        ("diff", &[READING, THREADS]),
        ("scan", &[READING, RANGE, THREADS, RULES]),
        ("rules", &[]),
        // What they read is said by the program that does it.
        ("sql", &[]),
        ("fleet", &[]),
        ("events", &[]),
        #[cfg(feature = "record")]
        ("doctor", &[]),
        ("config", &[]),
        ("completions", &[]),
        ("help", &[]),
        ("__complete", &[]),
        ("__man", &[]),
    ];

    fn option<'a>(command: &'a Command, long: &str) -> &'a Arg {
        let found = command.get_arguments().find(|arg| arg.get_long() == Some(long));
        found.unwrap_or_else(|| panic!("{} has no --{long}", command.get_name()))
    }

    /// All that a user sees of an option.
    fn shape(arg: &Arg) -> String {
        let values: Vec<_> =
            arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {values:?} {:?}",
            arg.get_short(),
            arg.get_help().map(ToString::to_string),
            arg.get_value_names(),
            arg.get_num_args(),
            arg.get_action(),
            arg.get_default_values(),
            arg.get_env(),
        )
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_has_the_same_option_groups_as_the_others() {
        let cli = super::Cli::command();
        for command in cli.get_subcommands() {
            let name = command.get_name();
            let (_, groups) = GROUPS
                .iter()
                .find(|(known, _)| *known == name)
                .unwrap_or_else(|| panic!("{name}: say in GROUPS what it reads and writes"));
            for long in groups.iter().flat_map(|group| *group) {
                let others = GROUPS.iter().filter(|(_, groups)| groups.iter().any(|it| it.contains(long)));
                for (other, _) in others {
                    let other = cli.find_subcommand(other).unwrap();
                    assert_eq!(
                        shape(option(command, long)),
                        shape(option(other, long)),
                        "--{long} of {name} and of {}",
                        other.get_name()
                    );
                }
            }
        }
    }

    #[test]
    fn the_help_of_every_subcommand_ends_with_three_examples_that_parse() {
        for command in super::Cli::command().get_subcommands_mut().filter(|command| !command.is_hide_set()) {
            let name = command.get_name().to_owned();
            let text = crate::examples::of(&name).unwrap_or_else(|| panic!("{name} has no examples"));
            let examples: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
            assert_eq!((text.lines().next(), examples.len()), (Some("Examples:"), 3), "{name}");
            // As wide as it wants to be, whatever the terminal of the test is.
            let help = command.clone().term_width(0).render_long_help().to_string();
            assert!(help.trim_end().ends_with(text), "{name}: {help}");
            assert!(help.contains(&crate::exits::text(&name)), "{name}: {help}");
            for example in examples {
                let own = example.rsplit("| ").find(|part| part.contains("tracer ")).expect("a command");
                let words = words(&own[own.find("tracer ").expect("a command")..]);
                let read = super::Cli::command().try_get_matches_from(&words);
                assert!(read.is_ok(), "{words:?}: {}", read.unwrap_err());
            }
        }
    }

    /// A command line as a shell parts it, up to a pipe, and without the comment behind two blanks and more.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted, mut blanks) = (Vec::new(), String::new(), false, 0);
        for character in line.chars() {
            match character {
                '\'' => quoted = !quoted,
                ' ' if !quoted => {
                    blanks += 1;
                    if blanks > 1 {
                        break;
                    }
                    words.push(std::mem::take(&mut word));
                    continue;
                }
                '|' if !quoted => break,
                other => word.push(other),
            }
            blanks = 0;
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn what_writes_files_asks_before_it_writes_over_one() {
        for command in super::Cli::command().get_subcommands() {
            let writes = command.get_arguments().any(|arg| {
                let names_a_file = |name: &str| name.contains("FILE");
                arg.get_long() == Some("output")
                    && arg.get_value_names().is_some_and(|names| names.iter().any(|it| names_a_file(it)))
            });
            if writes {
                option(command, "force");
            }
        }
    }
}
