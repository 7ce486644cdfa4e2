//! The harness in this process, hibernation forced after every event. The only file that knows
//! the harness's Rust API.

use anyhow::{Context, Result};
use signalroom_harness::{Hibernate, Limits, Options, Page, PageSource, Server};
use signalroom_page_build::Project;
use tokio::sync::OnceCell;

use super::{Start, Stop, root};

/// A server in this process.
pub struct Running {
    url: String,
    server: Option<Server>,
}

impl Running {
    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it in order, or drops it, which ends everything at once as a crash would.
    pub async fn stop(&mut self, how: Stop) {
        match (self.server.take(), how) {
            (Some(server), Stop::Gently) => server.stop().await,
            (Some(server), Stop::Kill) => drop(server),
            (None, _) => {}
        }
    }
}

/// Starts the product in this process.
pub async fn start(start: &Start) -> Result<Running> {
    let server = Server::start(Options {
        listen: ([127, 0, 0, 1], 0).into(),
        data: start.data.clone(),
        vars: start.vars.clone(),
        hibernate: Hibernate::EveryEvent,
        cron: false,
        demo: false,
        page: page().await?,
        limits: Limits::default(),
    })
    .await
    .context("the harness in this process")?;
    Ok(Running {
        url: format!("http://{}", server.addr()),
        server: Some(server),
    })
}

/// The project's page, built at the first call if need be.
async fn page() -> Result<Page> {
    static PAGE: OnceCell<Page> = OnceCell::const_new();
    let opened = PAGE.get_or_try_init(|| async {
        let project = Project::at(root()).context("the dashboard's folder")?;
        let page = Page::open(PageSource::Project(project))?;
        page.build(|doing| println!("{doing}")).await?;
        anyhow::Ok(page)
    });
    opened.await.cloned()
}
