//! The terminal: taken and given back, keys read, screens drawn. Whatever ends the program, the terminal is as it was before.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use crossterm::cursor::Show;
use crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event,
    MouseButton, MouseEventKind,
};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use crate::key::Key;
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::screen;

/// Lines that one turn of the wheel goes.
const WHEEL: i64 = 3;
/// How often it is looked whether somebody wants the program to end.
const EVERY: Duration = Duration::from_millis(100);
/// Messages that are taken before the screen is drawn: keys must not wait for it.
const MOST: usize = 256;

/// A thread has panicked: the terminal is given back, and nothing is drawn on it any more.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// A terminal that is taken. Dropped, it is given back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
    has_mouse: bool,
}

/// Gives the terminal back, whoever has it and in whatever state it is.
fn restore() {
    let mut out = io::stdout();
    // What cannot be given back is gone.
    let _ = execute!(out, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    let _ = out.flush();
}

impl Screen {
    pub fn take() -> io::Result<Screen> {
        // A panic is told on a terminal that shows it.
        static IS_HOOKED: AtomicBool = AtomicBool::new(false);
        if !IS_HOOKED.swap(true, Ordering::SeqCst) {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                HAS_PANICKED.store(true, Ordering::SeqCst);
                before(panic);
            }));
        }
        enable_raw_mode()?;
        let mut out = io::stdout();
        if let Err(error) = execute!(out, EnterAlternateScreen, EnableBracketedPaste) {
            restore();
            return Err(error);
        }
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(Screen { terminal, has_mouse: false })
    }

    fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.terminal.draw(|frame| screen::draw(model, frame)).map(|_| ())
    }

    fn mouse(&mut self, is_on: bool) -> io::Result<()> {
        self.has_mouse = is_on;
        match is_on {
            true => execute!(io::stdout(), EnableMouseCapture),
            false => execute!(io::stdout(), DisableMouseCapture),
        }
    }

    /// Asks the terminal to take a text into its clipboard.
    fn copy(&self, text: &str) -> io::Result<()> {
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        let mut out = io::stdout();
        write!(out, "\x1b]52;c;{text}\x07")?;
        out.flush()
    }

    /// Gives the terminal back, stops, and takes it again when the shell goes on with it.
    fn suspend(&mut self) -> io::Result<()> {
        restore();
        #[cfg(unix)]
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
        if self.has_mouse {
            execute!(io::stdout(), EnableMouseCapture)?;
        }
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Sends what is typed, until nobody listens.
pub fn listen(messages: Sender<Message>) -> io::Result<()> {
    let read = move || {
        while let Ok(event) = event::read() {
            let message = match event {
                Event::Key(key) => Key::of(key).map(Message::Key),
                Event::Paste(text) => Some(Message::Paste(text)),
                Event::Resize(width, height) => Some(Message::Resize(width, height)),
                Event::Mouse(mouse) => match mouse.kind {
                    MouseEventKind::ScrollUp => Some(Message::Scroll(-WHEEL)),
                    MouseEventKind::ScrollDown => Some(Message::Scroll(WHEEL)),
                    MouseEventKind::Down(MouseButton::Left) => Some(Message::Click(mouse.column, mouse.row)),
                    _ => None,
                },
                _ => None,
            };
            if message.is_some_and(|message| messages.send(message).is_err()) {
                return;
            }
        }
    };
    thread::Builder::new().name("tracer-keys".into()).spawn(read).map(|_| ())
}

/// Shows the model until somebody leaves. `perform` does what the screen does not.
pub fn run(
    screen: &mut Screen,
    model: &mut Model,
    messages: &Receiver<Message>,
    perform: &mut dyn FnMut(Effect, &Model),
) -> io::Result<()> {
    let is_over = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&is_over))?;
    }
    let mut effects = model.begin();
    let mut latency = crate::latency::Latency::of_environment();
    loop {
        for effect in effects.drain(..) {
            match effect {
                Effect::Quit => return Ok(()),
                Effect::Copy(text) => screen.copy(&text)?,
                Effect::Mouse(is_on) => screen.mouse(is_on)?,
                Effect::Redraw => screen.terminal.clear()?,
                Effect::Suspend => screen.suspend()?,
                effect => perform(effect, model),
            }
        }
        screen.draw(model)?;
        latency.drawn(model);
        let first = loop {
            if HAS_PANICKED.load(Ordering::SeqCst) {
                return Err(io::Error::other("a thread has ended early: what it said is above"));
            }
            if is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            match messages.recv_timeout(EVERY) {
                Ok(message) => break message,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        };
        let mut next = Some(first);
        for _ in 0..MOST {
            let Some(message) = next.take() else { break };
            latency.came(&message);
            effects.extend(model.update(message));
            next = messages.try_recv().ok();
        }
        if let Some(message) = next {
            effects.extend(model.update(message));
        }
    }
}
