"""JPEGs of 13 x 11 pixels that Pillow reads but does not write; libjpeg-turbo made them."""

from __future__ import annotations

import base64

RARE_JPEGS = {
    "lossless.jpg": (
        "lossless, grey",
        base64.b64decode(
            "/9j/4AAQSkZJRgABAQAAAQABAAD/wwALCAALAA0BAREA/8QAGgAAAgMBAQAAAAAAAAAAAAAABAUBAgMABv/aAAgBAQABAACPQPW5"
            "thlqRB51Am5+8bG2HWpUHn0KbnjpmZYdeoRokijm7ZgVOIKxQnULOYsDN5zFAXLVwXFE76TTEcUQYfrWmZiK0rWvY40p06abba68"
            "CGLlGm5ZxppfKloI0amMWjRow5IoWi13PauXblp//9k="
        ),
    ),
    "arithmetic.jpg": (
        "progressive, arithmetic coding",
        base64.b64decode(
            "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAx"
            "NDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy"
            "MjIyMjIyMjL/ygARCAALAA0DASIAAhEBAxEB/8wABgAQARD/2gAMAwEAAhADEAAAAdG1qTqD/8wABBAF/9oACAEBAAEFAkN7myw2"
            "3KdAHqdkGhz/zAAEEQX/2gAIAQMBAT8BhMNNq//MAAQRBf/aAAgBAgEBPwEpeniQ31iA/8wABBAF/9oACAEBAAY/AqO0x6j/zAAE"
            "EAX/2gAIAQEAAT8h6gu2SuAhEGgIkVD/2gAMAwEAAgADAAAAENr/zAAEEQX/2gAIAQMBAT8QwwUY/8wABBEF/9oACAECAQE/EDVa"
            "/8wABBAF/9oACAEBAAE/EEPyH4ldYiu9/EdLx0eQ/9k="
        ),
    ),
    "baseline_411.jpg": (
        "4:1:1, restart markers",
        base64.b64decode(
            "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAx"
            "NDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy"
            "MjIyMjIyMjL/wAARCAALAA0DAUEAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAAAAYH/8QAHxAAAQQCAgMAAAAAAAAAAAAAAgAB"
            "AwQFEQYSFDFR/8QAFQEBAQAAAAAAAAAAAAAAAAAAAwT/xAAfEQEAAgEDBQAAAAAAAAAAAAABAAIDBAWREkFRUnL/3QAEAAH/2gAM"
            "AwEAAhEDEQA/AKPJcjhu47xhJnLWllt3idi1aOURfROiJdDkNPjaW7q8xrZBrU8AcT//0I3DWJjy7CUhO3b0627G1YCoxu8Qu+vi"
            "Ig3Na5QPUk9F67/TP//Z"
        ),
    ),
    "baseline_440.jpg": (
        "4:4:0, restart markers",
        base64.b64decode(
            "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAx"
            "NDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy"
            "MjIyMjIyMjL/wAARCAALAA0DARIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAABwIG/8QAHxAAAgIDAAIDAAAAAAAAAAAAAQID"
            "BAAFEQYSFDFR/8QAFgEBAQEAAAAAAAAAAAAAAAAAAQID/8QAHREAAQQDAQEAAAAAAAAAAAAAAgABAwQFEyEiMf/dAAQAAv/aAAwD"
            "AQACEQMRAD8A0ey8jhu674ysC3OYVaaxM+3CtIxHt9HLHER322m/UHM+L5Gru+J2LVp5VU8Y4162rA1GMmJSefmZnM9B9QfEDkCt"
            "+yX/2Q=="
        ),
    ),
}
