//! The report of a run, for the Spark job.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use spark_classify_core::{Error, Result};
use spark_classify_report::{Report, Run, Thumbnails};

/// The argument of `report`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteReport {
    run: Run,
    /// JPEGs in base64, as `thumbnail` gives them, by the paths of their images.
    thumbnails: HashMap<String, String>,
    /// `report.json` of another run; null for none.
    baseline: Option<String>,
}

/// What `report` returns.
#[derive(Debug, Serialize)]
pub(crate) struct Written {
    /// `report.json`.
    json: String,
    /// The page.
    html: String,
}

impl WriteReport {
    /// # Errors
    /// [`Error::Argument`] for a baseline that is no report.
    pub(crate) fn write(self) -> Result<Written> {
        let refused = |argument| move |reason| Error::Argument { argument, reason };
        let baseline = self.baseline.as_deref().map(|json| Report::from_json(json.as_bytes()));
        let baseline = baseline.transpose().map_err(refused("baseline"))?;
        let mut thumbnails = Thumbnails::default();
        for (path, jpeg) in self.thumbnails {
            thumbnails.insert(&path, jpeg);
        }
        let report = Report::new(self.run);
        Ok(Written {
            json: report.to_json().map_err(refused("run"))?,
            html: report.page(&thumbnails, baseline.as_ref()),
        })
    }
}
