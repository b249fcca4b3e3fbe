// The knobs of the control API (PUT /control/settings): how the two services behave where the facts leave it
// open, and what an author may have set up wrongly.
#pragma once

#include <string>

namespace coursegate::sandbox {

struct settings
{
    // Both
    int latency_ms = 0;       // before every answer
    int bytes_per_second = 0; // of a body; 0: at once

    // Stepik
    int page_size = 20;               // rows of a page
    bool honour_page_size = false;    // does ?page_size= change it (at most 100)?
    int max_ids = 100;                // more ids[] are refused …
    int too_many_ids_status = 414;    // … with 414 (HTML, as a proxy does) or 400
    bool strict_pages = false;        // a page beyond the end: 404 "Invalid page.", else an empty page
    bool order_by_last_viewed = true; // is order=last_viewed understood?
    int staleness_ms = 0;             // grades follow a pass so much later
    bool gzip = false;                // answer with gzip where asked for
    bool grade_book_enabled = true;   // may the author's token read grades?
    bool learners_group_visible = true;
    bool client_secret_ok = true; // false: as if the application's secret had been changed
    int token_seconds = 36000;    // life of a token
    int stepik_per_second = 0;    // 429 above it; 0: no limit

    // Boomstream
    bool api_key_ok = true;                // false: as if the project's key had been changed
    std::string list_shape = "array";      // array | item_list | item_object | rotating
    bool omit_status = false;              // leave Status out of a successful JSON answer
    std::string numbers = "recorded";      // recorded (some as strings) | strings (all)
    bool duplicate_buyers = true;          // addbuyer without a hash: a second buyer for the same e-mail
    bool repeat_listed_buyers = false;     // listbuyers shows every buyer twice
    bool config_spends_activation = false; // does /{code}/config count as a device?
    int boomstream_per_second = 0;         // HTTP 429 above it; 0: no limit
};

} // namespace coursegate::sandbox
